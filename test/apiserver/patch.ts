/** The patch types of the stand-in, as far as clients use them on its kinds. */
import type { Loose } from "./kinds.ts";

type Fields = Record<string, Loose>;

/** RFC 7386. */
export function mergePatch(target: Loose, patch: Loose): Loose {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const out: Fields =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete out[key];
    else out[key] = mergePatch(out[key], value);
  }
  return out;
}

/** Keys by which lists of objects are merged. */
const mergeKeys: Fields = {
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  env: "name",
  volumes: "name",
  ports: "port",
};

/** Strategic merge: lists of known names merge by key, `$patch: delete` and `$setElementOrder` are honoured. */
export function strategicPatch(target: Loose, patch: Loose, name = ""): Loose {
  if (Array.isArray(patch)) {
    const key = mergeKeys[name];
    if (key === undefined || !Array.isArray(target)) return patch;
    const out = [...target];
    for (const item of patch) {
      const at = out.findIndex((known) => known?.[key] === item?.[key]);
      if (item?.$patch === "delete") {
        if (at >= 0) out.splice(at, 1);
      } else if (at >= 0) out[at] = strategicPatch(out[at], item);
      else out.push(item);
    }
    return out;
  }
  if (typeof patch !== "object" || patch === null) return patch;
  const out: Fields =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) continue;
    if (value === null) delete out[key];
    else out[key] = strategicPatch(out[key], value, key);
  }
  return out;
}

/** RFC 6902: add, replace, remove and test. */
export function jsonPatch(target: Loose, operations: readonly Loose[]): Loose {
  const out = structuredClone(target);
  for (const { op, path, value } of operations) {
    const steps: string[] = path
      .split("/")
      .slice(1)
      .map((step: string) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = steps.pop()!;
    let at: Loose = out;
    for (const step of steps) at = at?.[step];
    if (typeof at !== "object" || at === null) throw new Error(`no ${path}`);
    if (op === "test") {
      if (JSON.stringify(at[last]) !== JSON.stringify(value)) throw new Error(`test failed at ${path}`);
    } else if (op === "remove") {
      if (Array.isArray(at)) at.splice(Number(last), 1);
      else delete at[last];
    } else if (Array.isArray(at) && op === "add")
      at.splice(last === "-" ? at.length : Number(last), 0, value);
    else at[last] = value;
  }
  return out;
}
