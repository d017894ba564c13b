/**
 * A witness of transparency logs (C2SP tlog-witness): it cosigns a checkpoint only when that extends the last one
 * it has cosigned of the same log. So a log that shows two histories needs every witness that a reader asks for.
 */
import { equalBytes, fromHex, toHex } from "../wire/log/bytes.ts";
import { openCheckpoint, parseCheckpoint } from "../wire/log/checkpoint.ts";
import { EMPTY_ROOT, type Hash, verifyConsistency } from "../wire/log/merkle.ts";
import {
  formatSignatureLine,
  type NoteSigner,
  type NoteVerifier,
  parseNote,
  signNote,
} from "../wire/log/note.ts";
import { parseAddCheckpoint, TREE_SIZE_TYPE } from "../wire/log/witness.ts";

/** The last checkpoint of a log that was cosigned; what has to survive. `root` in hexadecimal. */
export interface WitnessedTree {
  readonly size: number;
  readonly root: string;
}

/** Keeps what was cosigned. `save` returns when it would survive a loss of power, and throws when it cannot. */
export interface WitnessState {
  load(origin: string): WitnessedTree | null;
  save(origin: string, tree: WitnessedTree): void;
}

export interface WitnessOptions {
  /** Key of type 0x04. */
  readonly signer: NoteSigner;
  /** Keys of the logs that are witnessed; a key's name is its log's origin. */
  readonly logs: readonly NoteVerifier[];
  readonly state: WitnessState;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** An answer of HTTP. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422 | 500;
  readonly type: string;
  readonly body: string;
}

const TEXT = "text/plain; charset=utf-8";

export class Witness {
  readonly #options: WitnessOptions;
  /** One request after the other: what is checked must still hold when it is written. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: WitnessOptions) {
    this.#options = options;
  }

  /** Answers `POST <prefix>/add-checkpoint` with this body. */
  addCheckpoint(body: Uint8Array): Promise<WitnessAnswer> {
    const answer = this.#turn.then(() => this.#add(body));
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async #add(body: Uint8Array): Promise<WitnessAnswer> {
    const { signer, logs, state, now } = this.#options;
    const asked = parseAddCheckpoint(body);
    const note = asked && parseNote(asked.checkpoint);
    const claimed = note && parseCheckpoint(note.text);
    if (!asked || !note || !claimed) return refuse(400, "this is not an add-checkpoint request");
    const keys = logs.filter(({ name }) => name === claimed.origin);
    if (keys.length === 0) return refuse(404, `the log ${claimed.origin} is not witnessed here`);
    const signed = await Promise.all(keys.map((key) => openCheckpoint(asked.checkpoint, key)));
    if (!signed.some((one) => one.ok)) return refuse(403, "the log's key has not signed this checkpoint");
    const { origin, size, root } = claimed;
    if (asked.oldSize > size) return refuse(400, "the old tree is larger than the new one");
    const before = state.load(origin) ?? { size: 0, root: toHex(EMPTY_ROOT) };
    const known = fromHex(before.root) as Hash;
    if (asked.oldSize !== before.size) return conflict(before.size);
    if (size === before.size && !equalBytes(root, known)) return conflict(before.size);
    if (!verifyConsistency(before.size, known, size, root, asked.proof)) {
      return refuse(422, "the proof does not show that the tree was only added to");
    }
    try {
      if (size > before.size) state.save(origin, { size, root: toHex(root) });
    } catch {
      return refuse(500, "the checkpoint could not be kept, so it is not cosigned");
    }
    const cosignature = await signNote(note.text, signer, Math.floor(now() / 1000));
    return { status: 200, type: TEXT, body: formatSignatureLine(cosignature) };
  }
}

function conflict(size: number): WitnessAnswer {
  return { status: 409, type: TREE_SIZE_TYPE, body: `${size}\n` };
}

function refuse(status: 400 | 403 | 404 | 422 | 500, message: string): WitnessAnswer {
  return { status, type: TEXT, body: `${message}\n` };
}

/** A body that no request of ours can have is not read to its end. */
export const MAX_BODY = 128 * 1024;

/** The answer for any other address or method. */
export const NOT_HERE: WitnessAnswer = refuse(404, "a witness answers POST /add-checkpoint");
