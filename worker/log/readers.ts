/** Who may read the log's entries: administrators. They say who did what, and the tree needs none of that. */
import { authenticate } from "../identity/authenticate.ts";
import { type ApiEnv, isAdmin, problem } from "../identity/http.ts";

/** Null when the request's caller may, otherwise the refusal. */
export async function mayReadEntries(request: Request, env: ApiEnv): Promise<Response | null> {
  const who = await authenticate(request, env, Date.now());
  if (!who.ok) return problem(who);
  if (who.credential.kind === "edge_token" && who.credential.grant !== undefined) return problem(notForApi);
  return isAdmin(env, who.identity) ? null : problem(notAdmin);
}

const notAdmin = {
  ...{ status: 403, code: "NOT_ENTITLED", message: "only administrators may read the log's entries" },
  hint: "Checkpoints and tiles are open to everyone.",
};
const notForApi = {
  ...notAdmin,
  code: "TOKEN_FOR_RESOURCE",
  message: "a grant's token is no key to the log",
};
