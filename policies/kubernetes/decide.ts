/**
 * Decides a Kubernetes request under one task. What needs the body (names and pods of writes) is decided by
 * `checkBody`, what needs the object (labels) by `settle`; a request goes upstream only when all said yes.
 */
import { firstValue, type Pair } from "../../wire/http/query.ts";
import { parseFieldSelector } from "../../wire/kubernetes/attributes.ts";
import type { KubeRequest, KubeVerb } from "../../wire/kubernetes/request.ts";
import { globMatches } from "../glob.ts";
import { parseFieldPath } from "../http/fields.ts";
import type { KubernetesRule, Task } from "../task.ts";
import {
  coversName,
  coversNamespace,
  isCollectionVerb,
  kubernetesRules,
  namespaceOf,
  namesResource,
  type ObjectPlace,
  resourceName,
  ruleFor,
} from "./scope.ts";

/** A refusal as kubectl shows it. */
export interface KubeRefusal {
  readonly effect: "deny";
  /** HTTP status of the answer. */
  readonly status: 400 | 403 | 409 | 413 | 415 | 422;
  /** Stable UPPER_SNAKE code. */
  readonly reason: string;
  /** One sentence. */
  readonly message: string;
  readonly hint: string | null;
  /** `tasks/x.yaml:12`, or null when no single rule decided. */
  readonly rule: string | null;
}

/** A request that may go on. */
export interface KubePermit {
  /** `hold`: a person must say yes first. `answer`: the gate answers itself (reviews of one's own access). */
  readonly effect: "allow" | "hold" | "answer";
  readonly reason: "ALLOWED" | "DISCOVERY" | "NEEDS_APPROVAL" | "SELF_REVIEW";
  readonly rule: string | null;
  /** The request to send: perhaps with a narrower query. */
  readonly request: KubeRequest;
  /** Rules that cover it but for labels, in file order. Empty for discovery. */
  readonly rules: readonly KubernetesRule[];
  /** The object's labels must be known first: read it, then call `settle`. */
  readonly needsLabels: boolean;
  /**
   * Rules by which the answer is shown: those of the request for reads; for writes, whose answer is the object,
   * the rules that grant `get` on it. Empty for a write means: its type and metadata only.
   */
  readonly shownBy: readonly KubernetesRule[];
  /** For port-forward. */
  readonly ports: readonly number[];
}

export type KubeDecision = KubeRefusal | KubePermit;

const selfReviews: readonly string[] = [
  "authorization.k8s.io/selfsubjectaccessreviews",
  "authorization.k8s.io/selfsubjectrulesreviews",
  "authentication.k8s.io/selfsubjectreviews",
];

/** Decides by group, resource, verb, namespace, name and, for exec, the command. */
export function decideKube(task: Task, request: KubeRequest): KubeDecision {
  const permit = {
    rule: null,
    request,
    rules: [],
    needsLabels: false,
    shownBy: [],
    ports: [],
  } as const;
  if (request.kind === "discovery") return { ...permit, effect: "allow", reason: "DISCOVERY" };
  if (request.verb === "create" && selfReviews.includes(`${request.group}/${request.resource}`)) {
    return { ...permit, effect: "answer", reason: "SELF_REVIEW" };
  }
  const { verb } = request;
  const all = kubernetesRules(task);
  const named = all.filter((rule) =>
    namesResource(rule, request.group, request.resource, request.subresource, verb),
  );
  if (named.length === 0) return resourceRefusal(task, all, request);

  const namespace = namespaceOf(request);
  // A list over all namespaces is filtered object by object, so a rule with namespaces serves it too.
  const everywhere = namespace === "" && (verb === "list" || verb === "watch");
  const here = everywhere ? named : named.filter((rule) => coversNamespace(rule, namespace));
  if (here.length === 0) return namespaceRefusal(task, named, request, namespace);

  const name = request.name || request.selectedName;
  let rules = here;
  if (name !== "") {
    rules = here.filter((rule) => coversName(rule, name));
    if (rules.length === 0) return nameRefusal(task, here, request, name);
  } else if (verb === "deletecollection") {
    rules = here.filter((rule) => rule.names === null);
    if (rules.length === 0) {
      const message = `the task ${task.name} limits ${request.resource} by name: they cannot be deleted as a collection`;
      return deny("COLLECTION_LIMITED", message, "delete them one by one", here[0]!.at);
    }
    rules = rules.slice(0, 1);
  }
  if (verb === "exec") {
    const command = request.query.filter(([key]) => key === "command").map(([, value]) => value);
    const fitting = rules.filter((rule) => commandAllowed(rule, command));
    if (fitting.length === 0) {
      const allowed = rules.flatMap((rule) => rule.commands ?? []).slice(0, 5);
      const message = `the task ${task.name} does not allow the command ${JSON.stringify(command.join(" ").slice(0, 200))}`;
      const hint = allowed.length === 0 ? null : `allowed commands: ${allowed.join(", ")}`;
      return deny("COMMAND_NOT_GRANTED", message, hint, rules[0]!.at);
    }
    rules = fitting;
  }
  const masked = maskedSelector(rules, request);
  if (masked !== null) return masked;

  // Rules behind the first one without labels cannot decide any object of a named request.
  if (!everywhere && (name !== "" || verb === "create")) {
    const sure = rules.findIndex((rule) => Object.keys(rule.labels).length === 0);
    if (sure >= 0 && verb !== "create") rules = rules.slice(0, sure + 1);
  }
  const labelled = Object.keys(rules[0]!.labels).length > 0;
  const narrowed = narrow(request, rules, everywhere);
  if (narrowed === null) {
    const message = "the labels of the rule cannot be written as a selector";
    return deny("COLLECTION_LIMITED", message, null, rules[0]!.at);
  }
  const hold = rules.some((rule) => rule.approval === "request");
  return {
    effect: hold ? "hold" : "allow",
    reason: hold ? "NEEDS_APPROVAL" : "ALLOWED",
    rule: rules[0]!.at,
    request: narrowed,
    rules,
    // Reads are checked on the object that comes back; everything else before it happens.
    needsLabels: labelled && name !== "" && !["get", "list", "watch"].includes(verb),
    shownBy: isWriteVerb(verb) ? readers(all, request) : rules,
    ports: [...new Set(rules.flatMap((rule) => rule.ports ?? []))],
  };
}

/** Decides again once the object's labels are known. `labels` null: there is no such object. */
export function settle(
  task: Task,
  permit: KubePermit,
  labels: Readonly<Record<string, string>> | null,
): KubeDecision {
  if (!permit.needsLabels) return permit;
  const { request } = permit;
  const place: ObjectPlace = { namespace: namespaceOf(request), name: request.name, labels: labels ?? {} };
  const rule = labels === null ? null : ruleFor(permit.rules, place);
  if (rule === null) {
    const message = `the task ${task.name} does not allow ${request.verb} of ${shown(request)}: it does not have the labels`;
    return deny("LABELS_NOT_GRANTED", message, labelHint(permit.rules), permit.rules[0]?.at ?? null);
  }
  const hold = rule.approval === "request";
  return {
    ...permit,
    effect: hold ? "hold" : "allow",
    reason: hold ? "NEEDS_APPROVAL" : "ALLOWED",
    rule: rule.at,
    rules: [rule],
    shownBy: isWriteVerb(request.verb) ? permit.shownBy : [rule],
    needsLabels: false,
    ports: rule.ports ?? [],
  };
}

/** Whether a port may be forwarded. */
export function portAllowed(permit: KubePermit, port: number): boolean {
  return permit.ports.includes(port);
}

/** Globs match the words joined by single spaces. No words is no command. */
export function commandAllowed(rule: KubernetesRule, command: readonly string[]): boolean {
  if (rule.commands === null || command.length === 0) return false;
  const text = command.join(" ");
  return text.length <= 4096 && rule.commands.some((pattern) => globMatches(pattern, text));
}

/** `pods "web-1" in namespace shop`. */
export function shown(request: KubeRequest): string {
  const resource = resourceName(request.resource, request.subresource);
  const group = request.group === "" ? "" : `.${request.group}`;
  const name = request.name || request.selectedName;
  const namespace = namespaceOf(request);
  return (
    resource +
    group +
    (name === "" ? "" : ` "${name}"`) +
    (namespace === "" ? "" : ` in namespace ${namespace}`)
  );
}

/** A refusal with status 403. */
export function deny(reason: string, message: string, hint: string | null, rule: string | null): KubeRefusal {
  return { effect: "deny", status: 403, reason, message, hint, rule };
}

function resourceRefusal(task: Task, all: readonly KubernetesRule[], request: KubeRequest): KubeRefusal {
  const same = all.filter((rule) =>
    namesResource(rule, request.group, request.resource, request.subresource, null),
  );
  const verb: KubeVerb = request.verb;
  const message = `the task ${task.name} does not allow ${verb} of ${shown(request)}`;
  if (same.length === 0) {
    const names = [...new Set(all.flatMap((rule) => rule.resources))].slice(0, 8);
    return deny("RESOURCE_NOT_GRANTED", message, `it grants ${names.join(", ")}`, null);
  }
  const verbs = [...new Set(same.flatMap((rule) => rule.verbs))];
  return deny("VERB_NOT_GRANTED", message, `it grants ${verbs.join(", ")}`, same[0]!.at);
}

function namespaceRefusal(
  task: Task,
  rules: readonly KubernetesRule[],
  request: KubeRequest,
  namespace: string,
): KubeRefusal {
  const namespaces = [...new Set(rules.flatMap((rule) => rule.namespaces))].slice(0, 8);
  const message =
    namespace === ""
      ? `the task ${task.name} does not allow ${request.verb} of ${shown(request)} without a namespace`
      : `the task ${task.name} does not allow ${request.verb} of ${shown(request)}`;
  const hint =
    namespaces.length === 0
      ? "it grants only what has no namespace"
      : `it grants -n ${namespaces.join(", -n ")}`;
  return deny("NAMESPACE_NOT_GRANTED", message, hint, rules[0]!.at);
}

function nameRefusal(
  task: Task,
  rules: readonly KubernetesRule[],
  request: KubeRequest,
  name: string,
): KubeRefusal {
  const names = [...new Set(rules.flatMap((rule) => rule.names ?? []))].slice(0, 8);
  const message = `the task ${task.name} does not allow ${request.verb} of ${request.resource} "${name}"`;
  return deny("NAME_NOT_GRANTED", message, `it grants ${names.join(", ")}`, rules[0]!.at);
}

function labelHint(rules: readonly KubernetesRule[]): string | null {
  const wanted = rules.map((rule) =>
    Object.entries(rule.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  );
  return wanted.length === 0 ? null : `it grants objects with ${wanted.slice(0, 4).join(" or ")}`;
}

/** Selecting by a masked field would find values by guessing. */
function maskedSelector(rules: readonly KubernetesRule[], request: KubeRequest): KubeRefusal | null {
  if (!isCollectionVerb(request.verb)) return null;
  const fields = (parseFieldSelector(firstValue(request.query, "fieldSelector") ?? "") ?? []).map(
    ({ field }) => field.split("."),
  );
  if (firstValue(request.query, "labelSelector") !== null) fields.push(["metadata", "labels", "*"]);
  for (const rule of rules) {
    for (const text of Object.keys(rule.mask)) {
      const parsed = parseFieldPath(text);
      if (!parsed.ok) continue;
      for (const field of fields) {
        const length = Math.min(field.length, parsed.path.length);
        const overlaps = field
          .slice(0, length)
          .every((step, i) => step === "*" || parsed.path[i] === null || parsed.path[i] === step);
        if (!overlaps) continue;
        return deny("SELECTOR_MASKED", `the selector uses ${text}, which the task masks`, null, rule.at);
      }
    }
  }
  return null;
}

const labelText = /^[A-Za-z0-9]([A-Za-z0-9._/-]{0,316}[A-Za-z0-9])?$/;

/** Narrows a collection request by the one rule that decides it. Null when a needed selector cannot be written. */
function narrow(
  request: KubeRequest,
  rules: readonly KubernetesRule[],
  everywhere: boolean,
): KubeRequest | null {
  if (!isCollectionVerb(request.verb) || rules.length !== 1) return request;
  const rule = rules[0]!;
  const query: Pair[] = [...request.query];
  const labels = Object.entries(rule.labels);
  if (labels.length > 0) {
    const plain = labels.every(
      ([key, value]) => labelText.test(key) && (value === "" || labelText.test(value)),
    );
    if (!plain && request.verb === "deletecollection") return null;
    if (plain) addTerm(query, "labelSelector", labels.map(([key, value]) => `${key}=${value}`).join(","));
  }
  const only = rule.names?.length === 1 ? rule.names[0]! : null;
  if (only !== null && /^[a-z0-9.-]+$/.test(only) && request.selectedName === "" && !everywhere) {
    addTerm(query, "fieldSelector", `metadata.name=${only}`);
  }
  return { ...request, query };
}

function addTerm(query: Pair[], name: string, term: string): void {
  const at = query.findIndex(([key]) => key === name);
  if (at < 0) query.push([name, term]);
  else query[at] = [name, `${query[at]![1]},${term}`];
}

/** Verbs that the API server answers with the object as it became. */
export function isWriteVerb(verb: KubeVerb): boolean {
  return ["create", "update", "patch", "delete", "deletecollection"].includes(verb);
}

/** The rules that grant `get` on the object of a write, whatever its labels are. */
function readers(all: readonly KubernetesRule[], request: KubeRequest): readonly KubernetesRule[] {
  return all.filter(
    (rule) =>
      namesResource(rule, request.group, request.resource, "", "get") &&
      coversNamespace(rule, namespaceOf(request)) &&
      (request.name === "" || coversName(rule, request.name)),
  );
}
