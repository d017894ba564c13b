/** The objects that the stand-in starts with: two namespaces, a shop that runs, and what a task must not show. */
import { groupVersion, kinds } from "./kinds.ts";
import type { Store } from "./store.ts";

/** The secret that no test may see through the gate. */
export const HIDDEN = "hunter2-hidden";

function put(
  store: Store,
  kindName: string,
  name: string,
  namespace: string | null,
  rest: object,
  labels = {},
): void {
  const kind = kinds.find((known) => known.kind === kindName)!;
  const metadata = { name, ...(namespace === null ? {} : { namespace }), labels };
  store.put(kind, { kind: kind.kind, apiVersion: groupVersion(kind), metadata, ...rest }, false);
}

export function podSpec(image = "nginx:1.27") {
  return {
    containers: [{ name: "main", image, env: [{ name: "DB_PASSWORD", value: HIDDEN }] }],
    nodeName: "node-1",
  };
}

export function seed(store: Store): void {
  for (const name of ["shop", "billing"])
    put(store, "Namespace", name, null, { status: { phase: "Active" } });
  put(store, "Node", "node-1", null, {});
  const running = {
    status: { phase: "Running", podIP: "10.0.0.7", conditions: [{ type: "Ready", status: "True" }] },
  };
  for (const name of ["web-1", "web-2"]) {
    put(store, "Pod", name, "shop", { spec: podSpec(), ...running }, { app: "web" });
  }
  put(store, "Pod", "db-0", "shop", { spec: podSpec("postgres:18"), ...running }, { app: "db" });
  put(store, "Pod", "ledger-0", "billing", { spec: podSpec(), ...running }, { app: "ledger" });
  const template = { metadata: { labels: { app: "web" } }, spec: podSpec() };
  const spec = { replicas: 2, selector: { matchLabels: { app: "web" } }, template };
  put(store, "Deployment", "web", "shop", { spec, status: { readyReplicas: 2 } }, { app: "web" });
  put(store, "ConfigMap", "settings", "shop", { data: { mode: "fast" } });
  const data = { password: Buffer.from(HIDDEN).toString("base64") };
  put(store, "Secret", "web", "shop", { data, type: "Opaque" });
  const applied = JSON.stringify({ kind: "Secret", stringData: { password: HIDDEN } });
  const kind = kinds.find((known) => known.kind === "Secret")!;
  const metadata = {
    name: "applied",
    namespace: "shop",
    annotations: { "kubectl.kubernetes.io/last-applied-configuration": applied },
  };
  store.put(kind, { kind: "Secret", apiVersion: "v1", metadata, data, type: "Opaque" }, false);
  put(store, "ServiceAccount", "default", "shop", {});
  const measured = { timestamp: "2026-01-01T00:00:00Z", window: "30s" };
  const usage = { cpu: "12m", memory: "34Mi" };
  for (const [name, namespace] of [
    ["web-1", "shop"],
    ["ledger-0", "billing"],
  ] as const) {
    put(store, "PodMetrics", name, namespace, { ...measured, containers: [{ name: "main", usage }] });
  }
}
