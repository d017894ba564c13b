/** Enrolment: a one-time code of the edge's administrator, spent once on this connector's public key. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConnectorConfig } from "./config.ts";
import type { ConnectorIdentity } from "./identity.ts";
import { writePrivate } from "./identity.ts";

/** What `state/enrolled.json` holds. */
export interface Enrolled {
  readonly name: string;
  readonly edge: string;
  readonly thumbprint: string;
}

export type EnrolResult =
  | { readonly ok: true; readonly enrolled: Enrolled }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The enrolment of this state folder; null when there is none for this name and edge. */
export function readEnrolment(config: ConnectorConfig): Enrolled | null {
  try {
    const found = JSON.parse(readFileSync(join(config.state, "enrolled.json"), "utf8")) as Enrolled;
    return found.name === config.name && found.edge === config.edge ? found : null;
  } catch {
    return null;
  }
}

/** Spends a code. Nothing is kept of it. */
export async function enrol(
  config: ConnectorConfig,
  identity: ConnectorIdentity,
  code: string,
): Promise<EnrolResult> {
  let response: Response;
  try {
    response = await fetch(`${config.edge}/connector/enroll`, {
      ...{ method: "POST", redirect: "error" },
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code: code.trim(), name: config.name, publicKey: identity.publicKey }),
      signal: AbortSignal.timeout(15_000),
    });
  } catch (error) {
    const cause = (error as { cause?: { code?: string } }).cause?.code ?? "no answer";
    return {
      ok: false,
      code: "EDGE_UNREACHABLE",
      message: `the edge ${config.edge} cannot be reached (${cause})`,
    };
  }
  const body = (await response.json().catch(() => ({}))) as Partial<Enrolled> & {
    code?: string;
    message?: string;
  };
  if (response.status !== 201 || typeof body.thumbprint !== "string") {
    const { code: refusal = `HTTP_${response.status}`, message = "the edge refused the enrolment" } = body;
    return { ok: false, code: refusal, message };
  }
  const enrolled: Enrolled = { name: config.name, edge: config.edge, thumbprint: body.thumbprint };
  writePrivate(join(config.state, "enrolled.json"), `${JSON.stringify(enrolled)}\n`);
  return { ok: true, enrolled };
}
