/** The parts of a Kubernetes `allow` item that only clusters have: what pods may be created, which Secrets show. */
import { globFault } from "../glob.ts";
import { boolean, list, object, optional, parsed, type Shape, text } from "../shape.ts";

/**
 * What the pods of a write may do beyond the baseline. Without any of it a pod has no privileges: no host
 * namespaces, paths or ports, no added capabilities, the default service account, no fixed node.
 */
export interface PodRule {
  readonly privileged: boolean;
  readonly hostNamespaces: boolean;
  /** Globs over host paths that may be mounted. */
  readonly hostPaths: readonly string[];
  /** Service accounts besides `default`, exact. */
  readonly serviceAccounts: readonly string[];
  /** Globs over images; null = any. */
  readonly images: readonly string[] | null;
}

export const noPodRule: PodRule = {
  privileged: false,
  hostNamespaces: false,
  hostPaths: [],
  serviceAccounts: [],
  images: null,
};

const glob = parsed<string>(
  "a glob",
  (value) => {
    const fault = globFault(value);
    return fault === null ? { value } : fault;
  },
  { type: "string" },
);

const podFile = object("pods", {
  privileged: optional(boolean, "Privileged containers, any capability, any security context."),
  hostNamespaces: optional(boolean, "The host's network, processes and IPC."),
  hostPaths: optional(list(glob, 1), "Host paths that may be mounted: globs."),
  serviceAccounts: optional(list(text(253), 1), "Service accounts besides `default`."),
  images: optional(list(glob, 1), "Images: globs; left out = any."),
});

/** `pods:` of an allow item. */
export const podRule: Shape<PodRule> = {
  words: podFile.words,
  schema: podFile.schema,
  fields: podFile.fields!,
  read(node, reader, place) {
    const file = podFile.read(node, reader, place);
    if (file === undefined) return undefined;
    return {
      privileged: file.privileged ?? false,
      hostNamespaces: file.hostNamespaces ?? false,
      hostPaths: file.hostPaths ?? [],
      serviceAccounts: file.serviceAccounts ?? [],
      images: file.images ?? null,
    };
  },
};

/** `secrets:` of an allow item: types of Secrets that are shown as they are, globs. None when left out. */
export const shownSecrets: Shape<readonly string[]> = list(glob, 1);
