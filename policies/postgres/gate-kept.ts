/**
 * Prepared statements that the gate keeps on the server for texts that a client parses again and again without a name,
 * as most drivers do: from the third time on the server neither parses nor plans them anew.
 *
 * What was kept must mean what parsing it again would mean. Only plain statements on data are kept; none with a word
 * that the server turns into a value when it parses (`'now'`, `'today'`, a `reg` type); all are forgotten when a
 * setting may have changed that says how literals are read, and none is made any more when that change may be taken
 * back. A changed table is the server's business: it parses what it kept again.
 */
import { encodeUtf8 } from "../../wire/postgres/cursor.ts";
import type { StatementDecision } from "./decision.ts";
import { RESERVED_NAME } from "./names.ts";

/** Statements that one session keeps at most. */
const MAX_KEPT = 64;
/** Texts that are watched for coming again. */
const MAX_SEEN = 256;
/** Longest text that is kept, characters. */
const MAX_TEXT = 8 * 1024;

const DATA = new Set(["Select", "Insert", "Update", "Delete", "Merge"]);
/** What may run without making another reading of a literal. */
const HARMLESS = new Set([...DATA, "Transaction", "VariableShow"]);
/**
 * Literals that become values of the moment, or numbers of objects, when they are parsed; how such a word can be
 * written otherwise (escapes, a literal that goes on in the next line); and what changes settings.
 */
const MOMENTARY = /now|today|tomorrow|yesterday|\breg[a-z]+\b|\\|\bu&|'\s*(?:--[^\n\r]*)?[\n\r]|set_config/i;

export interface Kept {
  readonly name: string;
  /** The name in UTF-8. */
  readonly encoded: Uint8Array;
  /** The server has it. */
  ready: boolean;
  /** It is not used any more: it failed, or a setting changed. */
  gone: boolean;
  /** The client let the server drop all prepared statements, also this one. */
  dropped: boolean;
}

export class KeptStatements {
  readonly #texts = new Map<string, Kept | null>();
  readonly #keepable = new WeakMap<StatementDecision, boolean>();
  /** The last key of a decision: the same string again has its hash already. */
  readonly #keys = new WeakMap<StatementDecision, { readonly types: string; readonly key: string }>();
  /** Those that the server may still have. */
  readonly #live = new Set<Kept>();
  #made = 0;
  #off = false;

  /**
   * What becomes of a Parse without a name: the statement to use or to make, or null when it is parsed as it is.
   * @param types of its parameters, as the client gave them
   */
  find(decision: StatementDecision, types: readonly number[]): Kept | null {
    if (this.#off || !this.#mayKeep(decision)) return null;
    const key = this.#keyOf(decision, types.join());
    const known = this.#texts.get(key);
    if (known && !known.gone) return known.ready ? known : null;
    if (known === undefined) {
      if (this.#texts.size < MAX_SEEN) this.#texts.set(key, null);
      return null;
    }
    if (this.#live.size >= MAX_KEPT) return null;
    this.#made += 1;
    const name = `${RESERVED_NAME} ${this.#made}`;
    const encoded = encodeUtf8(name);
    const kept: Kept = { name, encoded, ready: false, gone: false, dropped: false };
    this.#texts.set(key, kept);
    this.#live.add(kept);
    return kept;
  }

  /** A statement was let through. `alone`: nothing else is under way, and no transaction that could take it back. */
  ran(decision: StatementDecision, alone: boolean): void {
    if (this.#off) return;
    const { statements, rewritten } = decision;
    // DEALLOCATE ALL and DISCARD ALL.
    const drops = statements.some(({ kind, name }) => name === null && /^(Deallocate|Discard)$/.test(kind));
    if (drops) {
      for (const kept of this.#live) kept.dropped = true;
      this.#live.clear();
    }
    if (statements.every(({ kind }) => HARMLESS.has(kind)) && !/set_config/i.test(rewritten ?? "")) return;
    if (alone) this.forget();
    else this.stop();
  }

  /** Makes all of them anew. */
  forget(): void {
    for (const kept of this.#texts.values()) if (kept) kept.gone = true;
    this.#texts.clear();
  }

  /** Keeps none from here on. */
  stop(): void {
    this.forget();
    this.#off = true;
  }

  #keyOf(decision: StatementDecision, types: string): string {
    const last = this.#keys.get(decision);
    if (last?.types === types) return last.key;
    const key = `${types} ${decision.rewritten}`;
    this.#keys.set(decision, { types, key });
    return key;
  }

  #mayKeep(decision: StatementDecision): boolean {
    let may = this.#keepable.get(decision);
    if (may === undefined) {
      const { effect, rewritten, statements } = decision;
      may =
        effect === "allow" &&
        rewritten !== null &&
        rewritten.length <= MAX_TEXT &&
        statements.length === 1 &&
        DATA.has(statements[0]!.kind) &&
        !statements[0]!.lookup &&
        !MOMENTARY.test(rewritten);
      this.#keepable.set(decision, may);
    }
    return may;
  }
}
