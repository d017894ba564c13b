/**
 * `wicket kubeconfig`: a context that reaches a cluster through the edge. It holds no secret: kubectl asks
 * `wicket kube-credential` for one when it needs it (client.authentication.k8s.io/v1).
 */
import { parse, stringify } from "yaml";
import { CONTEXT_VARIABLE } from "./credential.ts";

export interface KubeContext {
  /** Origin of the edge: `https://edge.example`. kubectl sends no token over http. */
  readonly edge: string;
  /** Name of the resource. */
  /** Origin that `wicket` logs in at, when it is another (local development: http). */
  readonly login: string;
  readonly resource: string;
  readonly task: string;
  readonly reason: string | null;
  readonly params: Readonly<Record<string, string>>;
  /** Namespace of the context; null = kubectl's default. */
  readonly namespace: string | null;
  /** PEM of the edge's authority when the system does not know it (local development). */
  readonly ca: string | null;
  /** The command that kubectl runs: path of `wicket`, and arguments before `kube-credential`. */
  readonly command: string;
  readonly args: readonly string[];
  /** Arguments behind it. */
  readonly after: readonly string[];
}

interface Named {
  name: string;
  [key: string]: unknown;
}

interface File {
  apiVersion?: string;
  kind?: string;
  clusters?: Named[];
  users?: Named[];
  contexts?: Named[];
  "current-context"?: string;
  [key: string]: unknown;
}

/** Name of the context, cluster and user: `wicket-<resource>-<task>`. */
export function contextName({ resource, task }: Pick<KubeContext, "resource" | "task">): string {
  return `wicket-${resource}-${task}`;
}

/**
 * The text of a kubeconfig with the context added or replaced and made current; all else of `existing` stays.
 * An error says why the file cannot be changed.
 */
export function writeKubeconfig(
  existing: string | null,
  context: KubeContext,
): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly message: string } {
  if (!context.edge.startsWith("https://")) {
    return { ok: false, message: "kubectl sends no token over http: the edge needs an https address" };
  }
  let file: File = {};
  if (existing !== null && existing.trim() !== "") {
    try {
      file = parse(existing) as File;
    } catch {
      return { ok: false, message: "the existing kubeconfig is not YAML" };
    }
    if (typeof file !== "object" || file === null || Array.isArray(file)) {
      return { ok: false, message: "the existing kubeconfig is not a mapping" };
    }
  }
  const name = contextName(context);
  const extension = {
    task: context.task,
    resource: context.resource,
    reason: context.reason,
    params: context.params,
    ...(context.login === context.edge ? {} : { edge: context.login }),
  };
  const cluster = {
    server: `${context.edge.replace(/\/+$/, "")}/k8s/${context.resource}`,
    ...(context.ca === null ? {} : { "certificate-authority-data": btoa(context.ca) }),
    extensions: [{ name: "client.authentication.k8s.io/exec", extension }],
  };
  const exec = {
    apiVersion: "client.authentication.k8s.io/v1",
    command: context.command,
    args: [...context.args, "kube-credential", ...context.after],
    // For clients that run plugins without telling them of the cluster.
    env: [{ name: CONTEXT_VARIABLE, value: JSON.stringify({ server: cluster.server, config: extension }) }],
    interactiveMode: "IfAvailable",
    provideClusterInfo: true,
    installHint: "wicket is the command line of Wicketgate.",
  };
  const place = context.namespace === null ? {} : { namespace: context.namespace };
  const out: File = {
    ...file,
    apiVersion: "v1",
    kind: "Config",
    clusters: put(file.clusters, { name, cluster }),
    users: put(file.users, { name, user: { exec } }),
    contexts: put(file.contexts, { name, context: { cluster: name, user: name, ...place } }),
    "current-context": name,
  };
  return { ok: true, text: stringify(out, { lineWidth: 0 }) };
}

function put(list: Named[] | undefined, entry: Named): Named[] {
  return [...(Array.isArray(list) ? list : []).filter(({ name }) => name !== entry.name), entry];
}
