/**
 * `wicket kube-credential`: the exec plugin of kubectl (client.authentication.k8s.io/v1). It reads what kubectl says
 * of the cluster from KUBERNETES_EXEC_INFO, gets an edge token for the task, and prints an ExecCredential. What a
 * person must know (where to approve) goes to stderr, which kubectl shows.
 */

const VERSION = "client.authentication.k8s.io/v1";

/** What kubectl and the kubeconfig say. */
export interface CredentialRequest {
  /** Origin of the edge. */
  readonly edge: string;
  readonly resource: string;
  readonly task: string;
  readonly reason: string | null;
  readonly params: Readonly<Record<string, string>>;
  /** Whether a person can be asked. */
  readonly interactive: boolean;
}

/** Set by the kubeconfig: what KUBERNETES_EXEC_INFO would say of the cluster, for clients that do not set that. */
export const CONTEXT_VARIABLE = "WICKET_KUBE_CONTEXT";

/**
 * Reads KUBERNETES_EXEC_INFO, or, where a client does not set it, the kubeconfig's own variable; an error says what
 * is missing.
 */
export function readExecInfo(
  text: string | undefined,
  context?: string,
):
  | { readonly ok: true; readonly request: CredentialRequest }
  | { readonly ok: false; readonly message: string } {
  const bad = (message: string) => ({ ok: false, message }) as const;
  if (text === undefined && context === undefined)
    return bad("this command is run by kubectl: KUBERNETES_EXEC_INFO is not set");
  let info: Record<string, unknown>;
  try {
    info =
      text === undefined
        ? { apiVersion: VERSION, spec: { interactive: false, cluster: JSON.parse(context!) as unknown } }
        : (JSON.parse(text) as Record<string, unknown>);
  } catch {
    return bad("KUBERNETES_EXEC_INFO is not JSON");
  }
  const spec = (info["spec"] ?? {}) as {
    interactive?: unknown;
    cluster?: { server?: unknown; config?: unknown };
  };
  const server = spec.cluster?.server;
  const config = spec.cluster?.config as Record<string, unknown> | undefined;
  if (info["apiVersion"] !== VERSION) return bad("kubectl speaks another version of the plugin protocol");
  if (typeof server !== "string" || !URL.canParse(server))
    return bad("kubectl does not say which cluster: provideClusterInfo must be true");
  if (typeof config !== "object" || config === null)
    return bad("the kubeconfig names no task: write it with `wicket kubeconfig`");
  const { task, resource, reason, params, edge } = config;
  if (typeof task !== "string" || typeof resource !== "string")
    return bad("the kubeconfig names no task or no resource");
  const pairs = Object.entries((params ?? {}) as Record<string, unknown>);
  return {
    ok: true,
    request: {
      edge: typeof edge === "string" ? edge : new URL(server).origin,
      resource,
      task,
      reason: typeof reason === "string" ? reason : null,
      params: Object.fromEntries(pairs.map(([key, value]) => [key, String(value)])),
      interactive: spec.interactive === true,
    },
  };
}

/** The document that kubectl reads from stdout. `expires` in milliseconds since the epoch. */
export function execCredential(token: string, expires: number): string {
  return JSON.stringify({
    apiVersion: VERSION,
    kind: "ExecCredential",
    status: { token, expirationTimestamp: `${new Date(expires).toISOString().slice(0, 19)}Z` },
  });
}
