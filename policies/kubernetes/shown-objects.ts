/**
 * Reads the objects and table rows of an answer one by one and says what may be shown of each under a permit: nothing,
 * or its bytes with edits. Reading also finds where an object ends, so that a list is gone through once.
 */
import { Edits } from "../../wire/http/edits.ts";
import { skipValue, stringAt, walkElements, walkMembers } from "../../wire/http/json.ts";
import type { KubeRequest } from "../../wire/kubernetes/request.ts";
import type { FieldTree } from "../http/fields.ts";
import { DocumentMasker } from "../http/mask-document.ts";
import type { TokenOf } from "../http/mask-value.ts";
import type { KubernetesRule } from "../task.ts";
import type { KubePermit } from "./decide.ts";
import { columnShown, masksFor } from "./masks.ts";
import { type Facts, objectFacts, type ReadFacts, type Wanted } from "./object-facts.ts";
import { coversName, coversNamespace, hasLabels } from "./scope.ts";
import { MASKED_TEXT } from "./sentinel.ts";

/** What passed. */
export interface AnswerStats {
  /** Items, rows, events or objects shown. */
  objects: number;
  dropped: number;
  /** Dotted paths of masked fields, the first hundred of each kind of object. */
  readonly masked: Set<string>;
}

const encoder = new TextEncoder();
const hiddenCell = encoder.encode(JSON.stringify(MASKED_TEXT));
const comma = encoder.encode(",");
const nothing = new Uint8Array(0);

/** The masks of one rule for one type of object. */
interface Masks {
  readonly tree: FieldTree;
  readonly masker: DocumentMasker;
}

/** Most types of objects whose masks are kept for one rule. */
const MAX_TYPES = 64;

export class ShownObjects {
  readonly #permit: KubePermit;
  readonly #request: KubeRequest;
  readonly #token: TokenOf | null;
  /** The rule that shows every object of the answer whatever its name and labels are, or null. */
  readonly #certain: KubernetesRule | null;
  readonly #wanted: Wanted;
  readonly #known = new Map<KubernetesRule, Map<string, Masks | null>>();
  readonly stats: AnswerStats = { objects: 0, dropped: 0, masked: new Set() };
  /** What to change in the bytes of what was read last. */
  readonly edits = new Edits();
  /** Whether what was read last may be shown. */
  shown = false;
  /** Names of a Table's columns. */
  columns: readonly string[] | null = null;

  constructor(permit: KubePermit, token: TokenOf | null) {
    this.#permit = permit;
    this.#request = permit.request;
    this.#token = token;
    this.#certain = certainRule(permit);
    const { shownBy } = permit;
    this.#wanted = {
      kind: false,
      name: shownBy.some(({ names }) => names !== null),
      labels: shownBy.some((rule) => Object.keys(rule.labels).length > 0),
    };
  }

  /**
   * Reads the object at `at`. Gives the offset behind it, or -1 when it is malformed or does not end. `read`: what was
   * read of it already.
   */
  object(bytes: Uint8Array, at: number, write = false, read: ReadFacts | null = null): number {
    this.edits.clear();
    this.shown = false;
    const end = this.#object(bytes, at, write, read, null);
    if (end >= 0) this.#counted();
    return end;
  }

  /** Reads a Table's row (`{"cells", "object", "conditions"}`), as `object`. */
  row(bytes: Uint8Array, at: number, write = false): number {
    const { edits } = this;
    edits.clear();
    this.shown = false;
    if (bytes[at] !== 0x7b) return -1;
    let cells = -1;
    let object = -1;
    let masks: Masks | null = null;
    /** The offset behind the last member that stays, and of the last member at all. */
    let kept = -1;
    let last = -1;
    /** Where what goes begins, when something does. */
    let gone = -1;
    const stays = (keyStart: number) => {
      if (gone >= 0) edits.add(gone, keyStart, kept < 0 ? nothing : comma);
      gone = -1;
    };
    const end = walkMembers(bytes, at, (keyStart, keyEnd, start) => {
      const key = stringAt(bytes, keyStart, keyEnd);
      if (key === "cells") {
        if (cells >= 0) return -1;
        cells = start;
        stays(keyStart);
        // What is hidden in them is known with the object.
        last = masks === null ? skipValue(bytes, start) : this.#cells(bytes, start, masks.tree);
        kept = last;
      } else if (key === "object") {
        if (object >= 0) return -1;
        object = start;
        last = this.#object(bytes, start, write, null, (found) => {
          masks = found;
          if (cells >= 0 && found !== null) this.#cells(bytes, cells, found.tree);
          stays(keyStart);
        });
        kept = last;
      } else {
        last = key === null ? -1 : skipValue(bytes, start);
        if (gone < 0) gone = kept < 0 ? keyStart : kept;
      }
      return last;
    });
    if (end < 0 || cells < 0) return -1;
    if (object < 0) this.stats.dropped += 1;
    else this.#counted();
    if (gone >= 0) edits.add(gone, last, nothing);
    return end;
  }

  #counted(): void {
    if (this.shown) this.stats.objects += 1;
    else this.stats.dropped += 1;
  }

  /** `found` is told the masks before edits are made. */
  #object(
    bytes: Uint8Array,
    at: number,
    write: boolean,
    known: ReadFacts | null,
    found: ((masks: Masks | null) => void) | null,
  ): number {
    if (bytes[at] !== 0x7b) return -1;
    let rule = write ? null : this.#certain;
    let type = "";
    let end = -1;
    if (rule === null) {
      const read = known ?? objectFacts(bytes, at, this.#wanted);
      if (read === null) return -1;
      rule = this.#rule(read.facts, write);
      if (rule === null) return read.end;
      type = read.facts.type;
      end = read.end;
    }
    const masks = this.#masksOf(rule, type);
    found?.(masks);
    this.shown = true;
    if (masks !== null) return masks.masker.read(bytes, at, this.edits);
    return end >= 0 ? end : skipValue(bytes, at);
  }

  /** Hides cells whose columns show what the tree masks. */
  #cells(bytes: Uint8Array, at: number, tree: FieldTree): number {
    if (bytes[at] !== 0x5b) return -1;
    const { group, resource } = this.#request;
    let i = 0;
    return walkElements(bytes, at, (start) => {
      const end = skipValue(bytes, start);
      const column = this.columns?.[i++] ?? "";
      if (end >= 0 && !columnShown(tree, group, resource, column)) {
        this.edits.add(start, end, hiddenCell);
        this.stats.masked.add(`table.${column}`);
      }
      return end;
    });
  }

  /** The rule by which an object is shown. */
  #rule(facts: Facts, write: boolean): KubernetesRule | null {
    const { shownBy } = this.#permit;
    const { group, resource, subresource, verb } = this.#request;
    for (const rule of shownBy) {
      // What is not the object itself (a Scale, a TokenRequest) has no labels of its own.
      const labelled = subresource !== "" && subresource !== "status" ? true : hasLabels(rule, facts.labels);
      const name = facts.name || this.#request.name;
      const namespace = facts.namespace;
      if (!labelled || !coversName(rule, name)) continue;
      const own =
        group === "" && resource === "namespaces" ? "" : namespace || (write ? this.#request.namespace : "");
      if (coversNamespace(rule, own)) return rule;
      // Objects inside a single-object answer may leave their namespace out (Scale, TokenRequest).
      const alone = verb !== "list" && verb !== "watch";
      if (alone && namespace === "" && coversNamespace(rule, this.#request.namespace)) return rule;
    }
    return null;
  }

  #masksOf(rule: KubernetesRule, type: string): Masks | null {
    let types = this.#known.get(rule);
    if (types === undefined) {
      types = new Map();
      this.#known.set(rule, types);
    }
    const known = types.get(type);
    if (known !== undefined) return known;
    const { group, resource, subresource } = this.#request;
    const tree = masksFor(rule, group, resource, subresource, type);
    const masks =
      tree === null
        ? null
        : { tree, masker: new DocumentMasker(tree, MASKED_TEXT, this.#token, this.stats.masked) };
    if (types.size < MAX_TYPES) types.set(type, masks);
    return masks;
  }
}

/** In one namespace, by a rule without names, labels or shown Secrets, nothing of an object decides. */
function certainRule({ request, shownBy }: KubePermit): KubernetesRule | null {
  const rule = shownBy[0];
  if (rule === undefined || request.verb !== "list" || request.namespace === "") return null;
  if (request.group === "" && request.resource === "namespaces") return null;
  const limited = rule.names !== null || Object.keys(rule.labels).length > 0 || rule.secrets.length > 0;
  return !limited && coversNamespace(rule, request.namespace) ? rule : null;
}
