/** Which connector is calling: its token, verified by its own object. */
import { connectorNames } from "../bundle.ts";
import type { Bindings } from "../env.ts";
import type { Problem } from "../identity/http.ts";
import type { ConnectorObject, Verified } from "./object.ts";
import { connectorToken } from "./token.ts";

/** The object of a connector that the policies name; null for any other name, so that nobody can make objects. */
export function connectorByName(env: Bindings, name: string): DurableObjectStub<ConnectorObject> | null {
  return connectorNames().includes(name) ? env.CONNECTORS.getByName(name) : null;
}

const REFUSED: Problem & { readonly ok: false } = {
  ...{ ok: false, status: 401, code: "CONNECTOR_UNKNOWN", message: "this connector is not enrolled" },
  hint: "Enrol it with a code: POST /api/connectors/<name>/enrolment.",
};

/** Verifies the connector's token of a request and uses it up. */
export async function authenticateConnector(request: Request, env: Bindings): Promise<Verified> {
  const given = connectorToken(request);
  if (!given) {
    return { ...REFUSED, code: "TOKEN_MISSING", message: "no connector token was sent" };
  }
  const connector = connectorByName(env, given.name);
  return connector ? await connector.verify(given.token) : REFUSED;
}
