/** The `allow` items of a task for a cluster or an HTTP API, as rules. */
import type { TaskFile } from "./compile-task.ts";
import type { httpItem, kubernetesItem, Read } from "./model.ts";
import type { Place } from "./problem.ts";
import type { SourceReader } from "./source.ts";
import type { HttpRule, KubernetesRule, Mask, RequestRule } from "./task.ts";

/** The rules of a task for a cluster or an HTTP API; what is wrong with one is told to the reader. */
export function requestRulesOf(
  task: TaskFile,
  type: "kubernetes" | "http",
  reader: SourceReader,
): RequestRule[] {
  return task.allow.value.map(({ value, at }) =>
    type === "kubernetes"
      ? kubernetesRule(value as Read<typeof kubernetesItem>, at, reader)
      : httpRule(value as Read<typeof httpItem>, at, reader),
  );
}

function kubernetesRule(item: Read<typeof kubernetesItem>, at: Place, reader: SourceReader): KubernetesRule {
  for (const { value, at } of item.resources) {
    if (!value.includes("*")) continue;
    const message = `resources are exact: \`${value}\` has a wildcard`;
    reader.error("WILDCARD", at, message, "name each resource");
  }
  for (const { value, at } of [...(item.namespaces ?? []), ...(item.names ?? [])]) {
    if (/^[*?]*$/.test(value))
      reader.warn("WIDE_PATTERN", at, `\`${value}\` is met by any name`, "name them");
  }
  for (const [verb, key] of [
    ["exec", "commands"],
    ["portforward", "ports"],
  ] as const) {
    if (item.verbs.includes(verb) === (item[key] !== undefined)) continue;
    const message = `the verb \`${verb}\` and \`${key}\` belong together`;
    reader.error("INCOMPLETE_RULE", at, message, `write both or neither`);
  }
  return {
    kind: "kubernetes",
    apiGroups: item.apiGroups ?? [""],
    resources: item.resources.map(({ value }) => value),
    verbs: item.verbs,
    namespaces: (item.namespaces ?? []).map(({ value }) => value),
    names: item.names?.map(({ value }) => value) ?? null,
    labels: Object.fromEntries((item.labels ?? []).map(({ key, value }) => [key, value])),
    commands: item.commands?.map(({ value }) => value) ?? null,
    ports: item.ports ?? null,
    mask: masksOf(item.mask),
    secrets: item.secrets ?? [],
    pods: item.pods ?? null,
    approval: item.approval ?? null,
    at: reader.ref(at),
  };
}

function httpRule(item: Read<typeof httpItem>, at: Place, reader: SourceReader): HttpRule {
  return {
    kind: "http",
    methods: item.methods,
    paths: item.paths,
    query: item.query ?? [],
    mask: masksOf(item.mask),
    approval: item.approval ?? null,
    at: reader.ref(at),
  };
}

/** Masks by column or field path. */
export function masksOf(entries: readonly { key: string; value: Mask }[] | undefined): Record<string, Mask> {
  return Object.fromEntries((entries ?? []).map(({ key, value }) => [key, value]));
}
