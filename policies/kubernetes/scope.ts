/** Which objects a rule speaks of: group, resource, verb, namespace, name, labels, each by its own plain test. */
import { type KubeRequest, type KubeVerb, OWN_VERBS } from "../../wire/kubernetes/request.ts";
import { globMatches } from "../glob.ts";
import type { KubernetesRule, Task } from "../task.ts";

/** Where an object stands and what it is called. `namespace` is "" for what has none. */
export interface ObjectPlace {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Verbs that read or change many objects at once. */
export function isCollectionVerb(verb: KubeVerb): boolean {
  return verb === "list" || verb === "watch" || verb === "deletecollection";
}

/** Verbs that may also be granted on the object's own resource: `pods` with `logs` is `pods/log` with `logs`. */
const ownVerbs: readonly KubeVerb[] = OWN_VERBS;

/** The subresources that these verbs stand for. */
const connects: readonly string[] = ["exec", "attach", "portforward", "log", "proxy"];

/** `pods` or `pods/log`. */
export function resourceName(resource: string, subresource: string): string {
  return subresource === "" ? resource : `${resource}/${subresource}`;
}

/** Whether a rule names the group, resource and verb. */
export function namesResource(
  rule: KubernetesRule,
  group: string,
  resource: string,
  subresource: string,
  verb: KubeVerb | null,
): boolean {
  if (!rule.apiGroups.includes(group)) return false;
  if (verb !== null && !rule.verbs.includes(verb)) return false;
  if (rule.resources.includes(resourceName(resource, subresource))) return true;
  const own = verb === null ? connects.includes(subresource) : ownVerbs.includes(verb);
  return own && rule.resources.includes(resource) && rule.verbs.some((granted) => ownVerbs.includes(granted));
}

/** The namespace an object of the request lives in: namespaces themselves live in none. */
export function namespaceOf(request: KubeRequest): string {
  return request.group === "" && request.resource === "namespaces" ? "" : request.namespace;
}

/** Whether a rule covers a namespace; "" is what has none. */
export function coversNamespace(rule: KubernetesRule, namespace: string): boolean {
  if (namespace === "") return rule.namespaces.length === 0;
  return rule.namespaces.some((pattern) => globMatches(pattern, namespace));
}

/** Whether a rule covers a name. */
export function coversName(rule: KubernetesRule, name: string): boolean {
  return rule.names === null || rule.names.some((pattern) => globMatches(pattern, name));
}

/** Whether an object has all the labels of a rule. */
export function hasLabels(rule: KubernetesRule, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(rule.labels).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}

/** The first of the rules that covers an object, or null. */
export function ruleFor(rules: readonly KubernetesRule[], place: ObjectPlace): KubernetesRule | null {
  for (const rule of rules) {
    if (
      coversNamespace(rule, place.namespace) &&
      coversName(rule, place.name) &&
      hasLabels(rule, place.labels)
    ) {
      return rule;
    }
  }
  return null;
}

/** The Kubernetes rules of a task, in file order. */
export function kubernetesRules(task: Task): readonly KubernetesRule[] {
  return task.requestRules.filter((rule): rule is KubernetesRule => rule.kind === "kubernetes");
}
