/**
 * `/k8s/:resource/*` and `/http/:resource/*`: who asks, under which task and grant, and then into the session's own
 * object. Only bearer tokens count here, never cookies, and never a browser of another origin.
 */
import type { Bundle, ResourceType } from "../../policies/task.ts";
import { problem } from "./http.ts";
import { refusal } from "./kubernetes-refusal.ts";
import { type Admitted, admit, type DoorEnv, type Refusing } from "./request-admission.ts";
import { CONTEXT_HEADER, type RequestContext, requestObjectOf } from "./request-run.ts";

export type { DoorEnv };

/** Serves a request to either door; null when the path is of neither. */
export async function serveDoor(
  request: Request,
  env: DoorEnv,
  bundle: Bundle,
  now: number,
): Promise<Response | null> {
  const url = new URL(request.url);
  const found = /^\/(k8s|http)\/([a-z][a-z0-9-]{0,62})(\/.*)?$/.exec(url.pathname);
  if (found === null) return null;
  const type: ResourceType = found[1] === "k8s" ? "kubernetes" : "http";
  const refuse = ({ status, code, message, hint = null, rule = null }: Refusing) =>
    type === "kubernetes"
      ? refusal(status, code, message, rule, hint)
      : problem(status, code, message, hint, rule);

  // H1: a page of another origin cannot add a bearer token by itself, but a stolen one should not help it either.
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== env.EDGE_ORIGIN) {
    return refuse({
      status: 403,
      code: "ORIGIN_FOREIGN",
      message: "this request comes from a page of another origin",
    });
  }
  if (request.headers.get("authorization") === null) {
    return refuse({
      status: 401,
      code: "TOKEN_MISSING",
      message: "a bearer token is required",
      hint: "run `wicket kubeconfig`",
    });
  }
  const admission = await admit(request, env, bundle, now, { name: found[2]!, type });
  if (!admission.ok) return refuse(admission.refusal);
  return await enterSession(request, env, { ...admission.admitted, path: found[3] ?? "/", now });
}

/** Everything that was decided before. */
export interface Entering extends Admitted {
  readonly path: string;
  readonly now: number;
}

/** Hands a request that may be served to its session. */
export async function enterSession(
  request: Request,
  env: Pick<DoorEnv, "REQUESTS" | "EDGE_ORIGIN">,
  entering: Entering,
): Promise<Response> {
  const { identity, task, grant } = entering;
  const session = requestObjectOf(grant.id);
  const context: RequestContext = {
    session,
    grant: grant.id,
    identity: { ...identity, claims: {} },
    task: task.name,
    taskDigest: task.digest,
    params: entering.params,
    reason: entering.reason,
    expires: grant.expires,
    path: entering.path,
    approvals: `${env.EDGE_ORIGIN}/requests/`,
  };
  const headers = new Headers(request.headers);
  // Neither the token nor a cookie goes further than this; our own headers are only what we set here.
  for (const name of [...headers.keys()]) {
    if (name === "authorization" || name === "cookie" || name.startsWith("wicket-")) headers.delete(name);
  }
  headers.set(CONTEXT_HEADER, encodeHeader(JSON.stringify(context)));
  const stub = env.REQUESTS.get(env.REQUESTS.idFromName(session));
  return await stub.fetch(new Request(request, { headers }));
}

/** JSON in ASCII: header values are bytes, and names of people are not. */
function encodeHeader(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
