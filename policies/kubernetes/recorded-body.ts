/** A request's body as its recording has it: what the task masks in answers is masked in what was sent too. */
import type { BodyType } from "../../wire/kubernetes/headers.ts";
import { maskDocument } from "../http/mask-document.ts";
import type { KubePermit } from "./decide.ts";
import { masksFor } from "./masks.ts";
import { MASKED_TEXT } from "./sentinel.ts";

/** `bytes`: null when nothing may be kept, and why. */
export type RecordedBody =
  | { readonly bytes: Uint8Array; readonly left: null }
  | { readonly bytes: null; readonly left: "secret" | "binary" };

/** `body`: not empty. */
export function recordedBody(permit: KubePermit, type: BodyType, body: Uint8Array): RecordedBody {
  if (type === "protobuf") return { bytes: null, left: "binary" };
  const { group, resource, subresource } = permit.request;
  const rules = new Set([...permit.rules, ...permit.shownBy]);
  const trees = [...rules].flatMap((rule) => masksFor(rule, group, resource, subresource, "") ?? []);
  // A list of operations has the values without the paths that the masks name.
  if (trees.length > 0 && type === "json-patch") return { bytes: null, left: "secret" };
  let bytes = body;
  for (const tree of trees) {
    const masked = maskDocument(bytes, tree, MASKED_TEXT);
    if (masked === null) return { bytes: null, left: "secret" };
    bytes = masked.bytes;
  }
  return { bytes, left: null };
}
