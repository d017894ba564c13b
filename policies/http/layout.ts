/**
 * The layout of objects that have the same members in the same order, all of them texts, as the variables of a
 * container have: what was found out about one of them holds for the next, as long as the bytes between the values are
 * the same. Anything else is left to whoever reads objects member by member.
 */
import type { Edits } from "../../wire/http/edits.ts";
import { stringEnd, walkMembers } from "../../wire/http/json.ts";
import { type FieldTree, under } from "./fields.ts";

interface LayoutMember {
  /** From the brace or comma before the member to the quote that begins its value. */
  readonly before: Uint8Array;
  /** What stands in place of the value; null: it stays. */
  readonly shown: Uint8Array | null;
}

export type Layout = readonly LayoutMember[];

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE_BRACE = 0x7d;
/** Most members: longer objects are rare, and seldom alike. */
const MAX_MEMBERS = 8;

const encoder = new TextEncoder();

/** The layout of the whole object at `at`, in which `nodes` are looked for; null when it has none. */
export function layoutOf(bytes: Uint8Array, at: number, nodes: readonly FieldTree[]): Layout | null {
  const members: LayoutMember[] = [];
  let from = at;
  const end = walkMembers(bytes, at, (keyStart, keyEnd, start) => {
    if (bytes[start] !== QUOTE || members.length === MAX_MEMBERS) return -1;
    // A key with escapes is compared as what it says, which is not done here.
    if (bytes.subarray(keyStart, keyEnd).includes(BACKSLASH)) return -1;
    const found = under(bytes, keyStart, keyEnd, nodes);
    const shown = found === null ? null : constantOf(found.nodes);
    if (shown === undefined) return -1;
    members.push({ before: bytes.slice(from, start + 1), shown });
    from = stringEnd(bytes, start + 1);
    return from;
  });
  return end > 0 && members.length > 0 && from + 1 === end ? members : null;
}

/** The text that every value under the nodes is masked by; undefined when it depends on the value. */
function constantOf(nodes: readonly FieldTree[]): Uint8Array | undefined {
  const action = nodes.length === 1 ? nodes[0]!.action : null;
  if (action?.kind !== "mask" || action.mask.kind !== "constant") return undefined;
  return encoder.encode(JSON.stringify(action.mask.value));
}

/**
 * Reads the object at `at` as one of this layout and adds its edits. Gives the offset behind it; -1, without any edit,
 * when it is another one or does not end.
 */
export function readAs(layout: Layout, bytes: Uint8Array, at: number, edits: Edits): number {
  const { count } = edits;
  let i = at;
  for (let m = 0; m < layout.length; m++) {
    const { before, shown } = layout[m]!;
    for (let b = 0; b < before.length; b++) {
      if (bytes[i + b] !== before[b]) {
        edits.keep(count);
        return -1;
      }
    }
    i += before.length;
    const end = stringEnd(bytes, i);
    if (end < 0) {
      edits.keep(count);
      return -1;
    }
    if (shown !== null) edits.add(i - 1, end, shown);
    i = end;
  }
  if (bytes[i] === CLOSE_BRACE) return i + 1;
  edits.keep(count);
  return -1;
}
