/** What stands behind the resources in `wicket dev`: the database, and what `--target NAME=WHERE` names. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse } from "yaml";
import type { Bundle } from "../../policies/task.ts";
import { exit, fail } from "../exit.ts";
import type { DevDatabase } from "./database.ts";

/** A resource as connector.yaml has it. */
export type TargetConfig = Readonly<Record<string, unknown>>;

/** By connector: its resources. */
export type Targets = ReadonlyMap<string, Readonly<Record<string, TargetConfig>>>;

/** The database as a connector is told of it; the password is in the file `password` beside connector.yaml. */
export function databaseTarget({ host, port, user, password, tls, database }: DevDatabase): TargetConfig {
  return {
    ...{ type: "postgres", host, port, database, user },
    ...(password === null ? {} : { password: "$" + "{file:password}" }),
    tls,
  };
}

/**
 * What `--target` says: a URL (an HTTP API), a kubeconfig (a cluster), or a YAML file with the resource as
 * connector.yaml has it, paths in full. Throws a `CommandError` that names what is wrong.
 */
export function namedTarget(name: string, where: string): TargetConfig {
  if (/^https?:\/\//.test(where)) return { type: "http", url: where };
  let content: unknown;
  try {
    content = parse(readFileSync(where, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw fail(exit.usage, "TARGET_UNREADABLE", `the target of ${name} cannot be read: ${reason}`);
  }
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    const next = "Give a URL, a kubeconfig, or a file with the resource as in connector.yaml.";
    throw fail(exit.usage, "TARGET_INVALID", `${where} is no target`, next);
  }
  if ((content as { kind?: unknown }).kind === "Config") {
    return { type: "kubernetes", kubeconfig: { file: resolve(where) } };
  }
  return content as TargetConfig;
}

/** The targets by the connector that the policies give each resource to; and resources that have none. */
export function assignTargets(
  bundle: Bundle,
  targets: Readonly<Record<string, TargetConfig>>,
): { readonly targets: Targets; readonly missing: readonly string[] } {
  for (const [name, { type }] of Object.entries(targets)) {
    const resource = Object.hasOwn(bundle.resources, name) ? bundle.resources[name]! : null;
    if (!resource) throw fail(exit.usage, "RESOURCE_UNKNOWN", `the policies have no resource ${name}`);
    if (resource.type !== type) {
      const message = `${name} is of type ${resource.type} in resources.yaml, and its target is ${String(type)}`;
      throw fail(exit.usage, "TARGET_INVALID", message);
    }
  }
  const assigned = new Map<string, Record<string, TargetConfig>>();
  const missing: string[] = [];
  for (const { name, connector } of Object.values(bundle.resources)) {
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
    if (!target) {
      missing.push(name);
      continue;
    }
    const own = assigned.get(connector) ?? {};
    own[name] = target;
    assigned.set(connector, own);
  }
  return { targets: assigned, missing };
}
