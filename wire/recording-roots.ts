/**
 * The running roots of a recording, one a direction: what edge and connector each compute over the same messages.
 *
 * A message is written as kind (uint8), length (uint32, big-endian) and content: its bytes when it is an `event` or a
 * `backend` frame of at most `INLINE` of them, else their SHA-256. A frame that is left out of a recording is counted by
 * its SHA-256 on both sides: all `frontend` frames, one of which may have a secret in it, and the `backend` frames of a
 * recording without results.
 * Written messages are gathered; after a message that makes them `FOLD` bytes or more they are folded, which means
 * hashed together with what was folded before:
 * folded₀ = SHA-256("wicket.recording.v2" ‖ session id ‖ direction), foldedᵢ₊₁ = SHA-256(foldedᵢ ‖ gathered).
 * The root after any message is SHA-256(folded ‖ gathered), or `folded` when nothing is gathered. So a message costs a
 * copy, or the hash of its bytes, and many share the hash that binds them.
 */
import { createHash } from "node:crypto";
import { sha256 } from "./sha256.ts";

export type Direction = "frontend" | "backend";

/** What an entry of a recording is called that counts in a root, and its byte. */
const KINDS = { event: 1, frontend: 2, backend: 3 } as const;

/** Longest message that is written as it is, bytes. */
export const INLINE = 2048;
/** Bytes of messages, as they are written, that are hashed together. */
export const FOLD = 32_768;

/** Kind and length. */
const HEAD = 5;
/** A SHA-256. */
const HASH = 32;
/** Room at first, behind what was folded: most sessions say little. It doubles as it fills. */
const FIRST_ROOM = 1024;

/** From where a root goes on: the number of messages, what was folded and what is gathered. */
export interface RootState {
  readonly count: number;
  /** 32 bytes. */
  readonly folded: Uint8Array;
  /** Less than `FOLD` bytes. Null: `folded` is the root itself, and nothing can be added to it. */
  readonly gathered: Uint8Array | null;
}

/** A root of the past, computed when it is asked for. */
export class RootMark {
  /** Messages up to it. */
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #size: number;

  constructor(count: number, bytes: Uint8Array, size: number) {
    this.count = count;
    this.#bytes = bytes;
    this.#size = size;
  }

  /** SHA-256 in hexadecimal. */
  get root(): string {
    return rootOf(this.#bytes, this.#size);
  }
}

/** The running root and the count of one direction, as either party keeps them. */
export class RunningRoot {
  /** What was folded, then what is gathered; the first `#size` bytes count. */
  #bytes = new Uint8Array(FIRST_ROOM);
  #size = HASH;
  #count = 0;
  /** Whether marks look at these bytes, so that others must be taken for what comes after the fold. */
  #marked = false;
  readonly #over: boolean;

  /** `state`: goes on from there, instead of from the start. Throws RangeError when it is none. */
  constructor(session: string, direction: Direction, state?: RootState) {
    this.#over = state?.gathered === null;
    if (state) {
      const gathered = state.gathered ?? new Uint8Array(0);
      if (state.folded.length !== HASH || gathered.length >= FOLD) throw new RangeError("not a root's state");
      this.#reserve(gathered.length);
      this.#bytes.set(state.folded);
      this.#bytes.set(gathered, HASH);
      this.#size = HASH + gathered.length;
      this.#count = state.count;
    } else {
      const start = createHash("sha256").update(`wicket.recording.v2${session}${direction}`).digest();
      this.#bytes.set(start);
    }
  }

  /** Messages so far; the number of the next one. */
  get count(): number {
    return this.#count;
  }

  /** SHA-256 in hexadecimal. */
  get root(): string {
    return rootOf(this.#bytes, this.#size);
  }

  /** A copy, to go on from. */
  get state(): RootState {
    const folded = this.#bytes.slice(0, HASH);
    return { count: this.#count, folded, gathered: this.#bytes.slice(HASH, this.#size) };
  }

  /** The root as it stands, to be asked for later, if at all. */
  mark(): RootMark {
    this.#marked = true;
    return new RootMark(this.#count, this.#bytes, this.#size);
  }

  /** Adds one message. Throws RangeError when only the root is known. */
  add(kind: "event" | "frontend" | "backend", bytes: Uint8Array): void {
    const inline = kind !== "frontend" && bytes.length <= INLINE;
    this.#add(KINDS[kind], bytes.length, inline ? bytes : sha256(bytes));
  }

  /** Adds one message by its hash and length: one that is left out of the recording. */
  addHashed(kind: "frontend" | "backend", hashed: Uint8Array, length: number): void {
    this.#add(KINDS[kind], length, hashed);
  }

  #add(kind: number, length: number, content: Uint8Array): void {
    if (this.#over) throw new RangeError("this root cannot be gone on from");
    this.#reserve(HEAD + content.length);
    const bytes = this.#bytes;
    const at = this.#size;
    bytes[at] = kind;
    bytes[at + 1] = length >>> 24;
    bytes[at + 2] = length >>> 16;
    bytes[at + 3] = length >>> 8;
    bytes[at + 4] = length;
    bytes.set(content, at + HEAD);
    this.#size = at + HEAD + content.length;
    this.#count += 1;
    if (this.#size >= HASH + FOLD) this.#fold();
  }

  #reserve(more: number): void {
    const needed = this.#size + more;
    if (needed <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    bytes.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = bytes;
  }

  #fold(): void {
    const folded = sha256(this.#bytes.subarray(0, this.#size));
    // A mark of before needs what was gathered then.
    if (this.#marked) this.#bytes = new Uint8Array(this.#bytes.length);
    this.#marked = false;
    this.#bytes.set(folded);
    this.#size = HASH;
  }
}

function rootOf(bytes: Uint8Array, size: number): string {
  const root = size === HASH ? bytes.subarray(0, HASH) : sha256(bytes.subarray(0, size));
  let hex = "";
  for (const byte of root) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

/** Where both roots of a session go on. */
export interface RootStates {
  readonly frontend: RootState;
  readonly backend: RootState;
}
