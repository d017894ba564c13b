/** Shows the answer of an HTTP API: JSON with the rule's field masks; anything else only when nothing is masked. */
import { JsonSplitter } from "../../wire/http/json-stream.ts";
import type { HttpRule } from "../task.ts";
import { type FieldTree, fieldTree, parseFieldPath } from "./fields.ts";
import { maskDocument } from "./mask-document.ts";
import type { TokenOf } from "./mask-value.ts";

/** Largest JSON document that is masked, bytes. */
export const MAX_DOCUMENT = 8 * 1024 * 1024;

export type HttpAnswerFault = "ANSWER_MALFORMED" | "ANSWER_TOO_LARGE";

/** The masks of a rule as a tree; null when it has none. */
export function masksOf(rule: HttpRule): FieldTree | null {
  const entries = Object.entries(rule.mask);
  if (entries.length === 0) return null;
  return fieldTree(
    entries.map(([text, mask]) => {
      const parsed = parseFieldPath(text);
      return [parsed.ok ? parsed.path : [null], { kind: "mask", mask }] as const;
    }),
  );
}

/** Whether a content type is JSON (one document or several, one after another). */
export function isJson(contentType: string | null): boolean {
  const media = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  return (
    /^application\/(json|[a-z0-9.+-]+\+json|x-ndjson|jsonl|json-seq)$/.test(media) &&
    media !== "application/json-seq"
  );
}

/**
 * A request's body as its recording has it: what the rule masks in answers is masked in what was sent too. Null bytes:
 * it cannot be read for that, so nothing of it is kept.
 */
export function recordedHttpBody(
  rule: HttpRule,
  contentType: string | null,
  body: Uint8Array,
): { readonly bytes: Uint8Array | null; readonly left: "secret" | null } {
  const tree = masksOf(rule);
  if (tree === null) return { bytes: body, left: null };
  const masked = isJson(contentType) ? maskDocument(body, tree, "") : null;
  return masked === null ? { bytes: null, left: "secret" } : { bytes: masked.bytes, left: null };
}

/** Masks a JSON body as it comes; whole documents are held, at most `MAX_DOCUMENT` bytes. */
export class HttpAnswerFilter {
  readonly #tree: FieldTree;
  readonly #token: TokenOf | null;
  readonly #splitter = new JsonSplitter(null, MAX_DOCUMENT);
  readonly masked = new Set<string>();

  constructor(tree: FieldTree, token: TokenOf | null = null) {
    this.#tree = tree;
    this.#token = token;
  }

  push(chunk: Uint8Array): { ok: true; bytes: Uint8Array[] } | { ok: false; fault: HttpAnswerFault } {
    const bytes: Uint8Array[] = [];
    let malformed = false;
    const fault = this.#splitter.push(chunk, (piece) => {
      if (piece.t === "document") malformed = !this.#document(piece.bytes, bytes) || malformed;
    });
    if (fault === "JSON_PIECE_TOO_LARGE") return { ok: false, fault: "ANSWER_TOO_LARGE" };
    return fault !== null || malformed ? { ok: false, fault: "ANSWER_MALFORMED" } : { ok: true, bytes };
  }

  end(): { ok: true; bytes: Uint8Array[] } | { ok: false; fault: HttpAnswerFault } {
    const bytes: Uint8Array[] = [];
    let malformed = false;
    const fault = this.#splitter.end((piece) => {
      if (piece.t === "document") malformed = !this.#document(piece.bytes, bytes) || malformed;
    });
    return fault !== null || malformed ? { ok: false, fault: "ANSWER_MALFORMED" } : { ok: true, bytes };
  }

  #document(document: Uint8Array, out: Uint8Array[]): boolean {
    const masked = maskDocument(document, this.#tree, "", this.#token);
    if (masked === null) return false;
    for (const path of masked.paths) this.masked.add(path);
    out.push(masked.bytes, Uint8Array.of(0x0a));
    return true;
  }
}
