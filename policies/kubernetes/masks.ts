/** Which fields of which kinds are masked, and what a Table may still show of them. */

import { globMatches } from "../glob.ts";
import {
  type FieldAction,
  type FieldPath,
  type FieldTree,
  fieldTree,
  parseFieldPath,
} from "../http/fields.ts";
import type { KubernetesRule } from "../task.ts";
import { MASKED_BASE64, MASKED_TEXT } from "./sentinel.ts";

/** `kubectl apply` keeps the whole object, Secrets' plain `stringData` too, in this annotation. */
export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** The type of a TokenRequest for `secrets:`. */
export const TOKEN_REQUEST_TYPE = "wicketgate/token-request";

const document: FieldAction = { kind: "document" };
const hide = (value: string): FieldAction => ({ kind: "mask", mask: { kind: "constant", value } });
const lastApplied: FieldPath = ["metadata", "annotations", LAST_APPLIED];

const secretFields: readonly (readonly [FieldPath, FieldAction])[] = [
  [["data", null], hide(MASKED_BASE64)],
  [["stringData", null], hide(MASKED_TEXT)],
];
const tokenFields: readonly (readonly [FieldPath, FieldAction])[] = [
  [["status", "token"], hide(MASKED_TEXT)],
];

/** Masks of one rule for one resource; null when nothing of it is masked. `type`: of a Secret, "" when unknown. */
export function masksFor(
  rule: KubernetesRule,
  group: string,
  resource: string,
  subresource: string,
  type: string,
): FieldTree | null {
  const entries: (readonly [FieldPath, FieldAction])[] = [];
  for (const [text, mask] of Object.entries(rule.mask)) {
    const parsed = parseFieldPath(text);
    // A path that does not parse cannot come from the compiler; masking everything is the safe reading.
    entries.push([parsed.ok ? parsed.path : [null], { kind: "mask", mask }]);
  }
  const shown = (name: string) => rule.secrets.some((pattern) => globMatches(pattern, name));
  if (group === "" && resource === "secrets" && !(type !== "" && shown(type))) entries.push(...secretFields);
  if (
    group === "" &&
    resource === "serviceaccounts" &&
    subresource === "token" &&
    !shown(TOKEN_REQUEST_TYPE)
  ) {
    entries.push(...tokenFields);
  }
  if (entries.length === 0) return null;
  entries.push([lastApplied, document]);
  return fieldTree(entries);
}

/** Source fields of the API server's own printer columns (kubernetes pkg/printers/internalversion/printers.go). */
const columns: Readonly<Record<string, readonly string[]>> = {
  Name: ["metadata.name"],
  Namespace: ["metadata.namespace"],
  Age: ["metadata.creationTimestamp"],
  "pods Ready": ["status.containerStatuses", "spec.containers.name", "spec.initContainers.name"],
  "pods Status": [
    "status.phase",
    "status.reason",
    "status.containerStatuses",
    "status.initContainerStatuses",
  ],
  "pods Restarts": ["status.containerStatuses", "status.initContainerStatuses"],
  "pods IP": ["status.podIP", "status.podIPs"],
  "pods Node": ["spec.nodeName"],
  "pods Nominated Node": ["status.nominatedNodeName"],
  "pods Readiness Gates": ["spec.readinessGates", "status.conditions"],
  "deployments.apps Ready": ["status.readyReplicas", "spec.replicas"],
  "deployments.apps Up-to-date": ["status.updatedReplicas"],
  "deployments.apps Available": ["status.availableReplicas"],
  "deployments.apps Containers": ["spec.template.spec.containers.name"],
  "deployments.apps Images": ["spec.template.spec.containers.image"],
  "deployments.apps Selector": ["spec.selector"],
  "secrets Type": ["type"],
  "secrets Data": [],
  "configmaps Data": [],
};

/** Whether a printer column shows nothing of what the tree masks. Unknown columns show anything. */
export function columnShown(
  tree: FieldTree | null,
  group: string,
  resource: string,
  column: string,
): boolean {
  if (tree === null) return true;
  const own = `${resource}${group === "" ? "" : `.${group}`} ${column}`;
  const sources = Object.hasOwn(columns, own)
    ? columns[own]
    : Object.hasOwn(columns, column)
      ? columns[column]
      : null;
  if (sources === null || sources === undefined) return false;
  return sources.every((source) => !touches(tree, source.split(".")));
}

/** Whether a mask stands on a path, above it or below it. */
function touches(tree: FieldTree, path: readonly string[]): boolean {
  if (tree.action?.kind === "mask") return true;
  if (path.length === 0) return tree.any !== null || tree.keys.size > 0;
  const [step, ...rest] = path as [string, ...string[]];
  const named = tree.keys.get(step);
  return (named !== undefined && touches(named, rest)) || (tree.any !== null && touches(tree.any, rest));
}
