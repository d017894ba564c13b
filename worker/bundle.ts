/** The policies of this deployment: the only policy input of the edge. `scripts/build-policies.ts` makes them. */
import policies from "../build/policies.json";
import type { Bundle, Resource, Task } from "../policies/task.ts";

export const bundle = policies as unknown as Bundle;

/** The task of this name; null when there is none. */
export function findTask(name: string): Task | null {
  return Object.hasOwn(bundle.tasks, name) ? bundle.tasks[name]! : null;
}

/** The resource of this name; null when there is none. */
export function findResource(name: string): Resource | null {
  return Object.hasOwn(bundle.resources, name) ? bundle.resources[name]! : null;
}

/** Names of all connectors that a resource names, sorted. Only these can be enrolled. */
export function connectorNames(): string[] {
  return [...new Set(Object.values(bundle.resources).map((resource) => resource.connector))].sort();
}

/** Names of the resources that this connector may open. */
export function resourcesOf(connector: string): string[] {
  return Object.values(bundle.resources)
    .filter((resource) => resource.connector === connector)
    .map((resource) => resource.name);
}
