/**
 * Decides by the body of a write: it must be of the object that the URL names, create only what the rule names,
 * run no pods that the rule does not allow, and not store masks as values. What the gate cannot read is refused.
 */
import { parseStrict } from "../../wire/http/json.ts";
import type { BodyType } from "../../wire/kubernetes/headers.ts";
import { readProtobufIdentity } from "../../wire/kubernetes/protobuf.ts";
import type { KubernetesRule, Task } from "../task.ts";
import { type KubePermit, type KubeRefusal, shown } from "./decide.ts";
import { podFault, podTemplatePath } from "./pods.ts";
import { coversName, hasLabels, namespaceOf } from "./scope.ts";
import { holdsSentinel, valueHoldsSentinel } from "./sentinel.ts";

/** Largest body of a write, bytes: the API server's own limit (`--max-request-bytes` of 3 MiB). */
export const MAX_BODY = 3 * 1024 * 1024;

/** The rule by which the write goes on, or why it does not. */
export type BodyDecision =
  | { readonly effect: "allow" | "hold"; readonly rule: KubernetesRule | null }
  | KubeRefusal;

interface Identity {
  readonly name: string;
  readonly generateName: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** `bytes` is the whole body; empty for none. */
export function checkBody(task: Task, permit: KubePermit, type: BodyType, bytes: Uint8Array): BodyDecision {
  const { request } = permit;
  const first = permit.rules[0] ?? null;
  const effectOf = (rule: KubernetesRule | null): BodyDecision => ({
    effect: rule?.approval === "request" ? "hold" : "allow",
    rule,
  });
  if (bytes.length > MAX_BODY)
    return refuse(413, "BODY_TOO_LARGE", `the body is larger than ${MAX_BODY} bytes`, first);
  const patch = type.endsWith("-patch");
  if (patch !== (request.verb === "patch")) {
    return refuse(415, "MEDIA_TYPE", `a ${request.verb} is not sent with this content type`, first);
  }
  if (bytes.length === 0) {
    if (request.verb === "delete" || request.verb === "deletecollection") return effectOf(first);
    return refuse(400, "BODY_MISSING", "the body is missing", first);
  }
  if (type === "protobuf") return checkProtobuf(task, permit, bytes, effectOf);

  const parsed = parseStrict(bytes);
  if (!parsed.ok) {
    const hint = type === "apply-patch" ? "send it as JSON, as kubectl does" : null;
    return refuse(400, "BODY_NOT_READ", parsed.message, first, hint);
  }
  if (valueHoldsSentinel(parsed.value)) return sentinel(first);
  if (request.verb === "delete" || request.verb === "deletecollection") {
    return isObject(parsed.value)
      ? effectOf(first)
      : refuse(400, "BODY_NOT_READ", "the body is not an object", first);
  }
  const path = podTemplatePath(request.group, request.resource, request.subresource);
  if (type === "json-patch") {
    const fault = jsonPatchFault(parsed.value, path, first);
    return fault === null ? effectOf(first) : refuse(403, fault[0], `${shown(request)}: ${fault[1]}`, first);
  }
  if (!isObject(parsed.value)) return refuse(400, "BODY_NOT_READ", "the body is not an object", first);
  const identity = identityOf(parsed.value);
  if (identity === null)
    return refuse(400, "BODY_NOT_READ", "the metadata of the body cannot be read", first);
  const rule = placeOf(task, permit, identity);
  if ("effect" in rule) return rule;
  if (path !== null) {
    const fault = podFault(parsed.value, path, rule.rule?.pods ?? null);
    if (fault !== null) {
      const hint = "the rule's `pods` may allow it";
      return refuse(
        403,
        "POD_NOT_GRANTED",
        `the task ${task.name} does not allow this pod: ${fault}`,
        rule.rule,
        hint,
      );
    }
  }
  const eviction = targetFault(request.subresource, parsed.value, request.name);
  if (eviction !== null) return refuse(400, "BODY_MISMATCH", eviction, rule.rule);
  return effectOf(rule.rule);
}

function checkProtobuf(
  task: Task,
  permit: KubePermit,
  bytes: Uint8Array,
  effectOf: (rule: KubernetesRule | null) => BodyDecision,
): BodyDecision {
  const { request } = permit;
  const first = permit.rules[0] ?? null;
  const identity = readProtobufIdentity(bytes);
  if (identity === null) return refuse(400, "BODY_NOT_READ", "the protobuf body cannot be read", first);
  if (holdsSentinel(latin1(identity.raw))) return sentinel(first);
  if (request.verb === "delete" || request.verb === "deletecollection") {
    return identity.kind === "DeleteOptions"
      ? effectOf(first)
      : refuse(400, "BODY_NOT_READ", "the body of a delete is not DeleteOptions", first);
  }
  if (podTemplatePath(request.group, request.resource, request.subresource) !== null) {
    const message = `${shown(request)}: pods are only read as JSON here`;
    return refuse(415, "MEDIA_TYPE", message, first, "send it as application/json");
  }
  const rule = placeOf(task, permit, identity);
  return "effect" in rule ? rule : effectOf(rule.rule);
}

/** Checks name, namespace and labels of the body, and finds the rule of a create. */
function placeOf(
  task: Task,
  permit: KubePermit,
  identity: Identity,
): { readonly rule: KubernetesRule | null } | KubeRefusal {
  const { request } = permit;
  const first = permit.rules[0] ?? null;
  const namespace = namespaceOf(request);
  const cluster = request.group === "" && request.resource === "namespaces";
  if (!cluster && identity.namespace !== "" && identity.namespace !== namespace) {
    const message = `the body is for namespace ${JSON.stringify(identity.namespace)}, the URL for ${JSON.stringify(namespace)}`;
    return refuse(400, "BODY_MISMATCH", message, first);
  }
  if (request.name !== "") {
    if (identity.name !== "" && identity.name !== request.name) {
      const message = `the body is of ${JSON.stringify(identity.name)}, the URL of ${JSON.stringify(request.name)}`;
      return refuse(400, "BODY_MISMATCH", message, first);
    }
    // An update must not take the labels away that the grant hangs on, nor may a create-by-apply do without.
    const rule = permit.rules.find((rule) => request.verb !== "update" || hasLabels(rule, identity.labels));
    if (rule === undefined) return labelsRefusal(task, permit);
    return { rule };
  }
  if (identity.name === "" && permit.rules.every((rule) => rule.names !== null)) {
    const message = `the task ${task.name} limits ${request.resource} by name: give the body a name`;
    return refuse(403, "NAME_NOT_GRANTED", message, first);
  }
  const named = permit.rules.filter((rule) =>
    identity.name === "" ? rule.names === null : coversName(rule, identity.name),
  );
  if (named.length === 0) {
    const message = `the task ${task.name} does not allow create of ${request.resource} ${JSON.stringify(identity.name)}`;
    const names = [...new Set(permit.rules.flatMap((rule) => rule.names ?? []))].slice(0, 8);
    return refuse(403, "NAME_NOT_GRANTED", message, first, `it grants ${names.join(", ")}`);
  }
  const rule = named.find((rule) => hasLabels(rule, identity.labels));
  return rule === undefined ? labelsRefusal(task, permit) : { rule };
}

function labelsRefusal(task: Task, permit: KubePermit): KubeRefusal {
  const rule = permit.rules[0] ?? null;
  const wanted = Object.entries(rule?.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const message = `the task ${task.name} allows ${permit.request.resource} only with the labels ${wanted.join(", ")}`;
  return refuse(403, "LABELS_NOT_GRANTED", message, rule);
}

/** RFC 6902: each operation on a pod template is looked at as the object that it would set. */
function jsonPatchFault(
  value: unknown,
  path: readonly string[] | null,
  rule: KubernetesRule | null,
): [string, string] | null {
  if (!Array.isArray(value)) return ["BODY_NOT_READ", "a JSON patch is a list of operations"];
  if (value.length > 1000) return ["BODY_NOT_READ", "the JSON patch has more than 1000 operations"];
  for (const operation of value) {
    if (!isObject(operation)) return ["BODY_NOT_READ", "a JSON patch operation is not an object"];
    const { op, path: pointer } = operation;
    if (
      typeof op !== "string" ||
      typeof pointer !== "string" ||
      (pointer !== "" && !pointer.startsWith("/"))
    ) {
      return ["BODY_NOT_READ", "a JSON patch operation has no op or path"];
    }
    if (op === "test") {
      // A failing test tells whether a hidden value was guessed.
      if (
        rule !== null &&
        (Object.keys(rule.mask).length > 0 || /^\/(data|stringData)(\/|$)/.test(pointer))
      ) {
        return ["PATCH_NOT_READ", "a `test` operation could guess masked values"];
      }
      continue;
    }
    const steps = pointer
      .split("/")
      .slice(1)
      .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (steps.length === 0) return ["PATCH_NOT_READ", "a JSON patch may not replace the whole object"];
    if (
      steps[0] === "metadata" &&
      (steps.length === 1 || ["name", "namespace", "labels"].includes(steps[1]!))
    ) {
      if (rule !== null && Object.keys(rule.labels).length > 0) {
        return ["LABELS_NOT_GRANTED", "the patch touches the labels that the grant hangs on"];
      }
    }
    if (op === "move" || op === "copy") {
      return ["PATCH_NOT_READ", `\`${op}\` moves values that the gate does not see`];
    }
    if (op === "remove") continue;
    if (op !== "add" && op !== "replace") return ["BODY_NOT_READ", "a JSON patch operation is not known"];
    if (path === null) continue;
    const object = objectAt(steps, operation["value"]);
    const fault = podFault(object, path, rule?.pods ?? null);
    if (fault !== null) return ["POD_NOT_GRANTED", `the pod is not allowed: ${fault}`];
  }
  return null;
}

/** The object that holds just this value at a pointer. Numbers and "-" are places in lists. */
function objectAt(steps: readonly string[], value: unknown): unknown {
  return steps.reduceRight<unknown>((inner, step) => {
    if (/^(-|\d+)$/.test(step)) return [inner];
    const object: Record<string, unknown> = {};
    Object.defineProperty(object, step, { value: inner, enumerable: true });
    return object;
  }, value);
}

/** An eviction or binding names its pod again in the body. */
function targetFault(subresource: string, value: Record<string, unknown>, name: string): string | null {
  if (subresource !== "eviction" && subresource !== "binding") return null;
  const metadata = value["metadata"];
  return isObject(metadata) && metadata["name"] === name
    ? null
    : `the ${subresource} is not of the pod in the URL`;
}

function identityOf(value: Record<string, unknown>): Identity | null {
  const metadata = value["metadata"];
  if (metadata === undefined || metadata === null)
    return { name: "", generateName: "", namespace: "", labels: {} };
  if (!isObject(metadata)) return null;
  const texts = ["name", "generateName", "namespace"].map((key) => metadata[key] ?? "");
  if (!texts.every((text) => typeof text === "string")) return null;
  const labels = metadata["labels"] ?? {};
  if (!isObject(labels)) return null;
  const [name, generateName, namespace] = texts as [string, string, string];
  return { name, generateName, namespace, labels: labels as Record<string, string> };
}

function sentinel(rule: KubernetesRule | null): KubeRefusal {
  const message = "the body holds a value that the gate masked: writing it back would destroy the real one";
  return refuse(422, "MASKED_VALUE", message, rule, "patch only the fields that change");
}

function refuse(
  status: KubeRefusal["status"],
  reason: string,
  message: string,
  rule: KubernetesRule | null,
  hint: string | null = null,
): KubeRefusal {
  return { effect: "deny", status, reason, message, hint, rule: rule?.at ?? null };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192) as unknown as number[]);
  }
  return text;
}
