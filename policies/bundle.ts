/** The compiled task library as the edge opens it: checked against its own digests, looked up by name. */
import { digestOf } from "./canonical.ts";
import type { Bundle, Resource, Task } from "./task.ts";

/** A bundle of these parts, with its digest. */
export function sealBundle(
  resources: Readonly<Record<string, Resource>>,
  tasks: Readonly<Record<string, Task>>,
): Bundle {
  return { version: 1, digest: digestOf({ resources, tasks }), resources, tasks };
}

/**
 * Opens a bundle read from a file or a store: the version must be known and every digest must be that of the
 * content. It says nothing of who made the bundle.
 */
export function openBundle(value: unknown): { ok: true; bundle: Bundle } | { ok: false; message: string } {
  const bundle = value as Bundle | null;
  if (typeof bundle !== "object" || bundle === null || bundle.version !== 1) {
    return { ok: false, message: "not a policy bundle of version 1" };
  }
  const { resources, tasks } = bundle;
  if (typeof resources !== "object" || typeof tasks !== "object" || !resources || !tasks) {
    return { ok: false, message: "the policy bundle has no resources or no tasks" };
  }
  try {
    for (const [name, { digest, ...body }] of Object.entries(tasks)) {
      if (body.name !== name || digestOf(body) !== digest) {
        return { ok: false, message: `the task ${name} does not have the digest that it names` };
      }
    }
    if (digestOf({ resources, tasks }) !== bundle.digest) {
      return { ok: false, message: "the policy bundle does not have the digest that it names" };
    }
  } catch {
    return { ok: false, message: "the policy bundle is not JSON" };
  }
  return { ok: true, bundle };
}

/** The task of that name, or null. Never an inherited property of the record. */
export function findTask(bundle: Bundle, name: string): Task | null {
  return Object.hasOwn(bundle.tasks, name) ? bundle.tasks[name]! : null;
}

/** The resource of that name, or null. */
export function findResource(bundle: Bundle, name: string): Resource | null {
  return Object.hasOwn(bundle.resources, name) ? bundle.resources[name]! : null;
}
