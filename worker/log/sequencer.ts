/**
 * The log's one sequencer. An entry gets its number in this object's storage (`journal.ts`); then the tiles
 * and bundles that it changed are created in R2, and only then the larger tree is signed. A reset between any
 * two of these steps loses nothing: numbers do not change, files are made again byte for byte, and a tree is
 * signed only as an extension of the last one. What contradicts that freezes the log: it refuses entries, so
 * that sessions are refused, until a person has looked.
 */
import { DurableObject } from "cloudflare:workers";
import { equalBytes, fromUtf8 } from "../../wire/log/bytes.ts";
import { openCheckpoint, signCheckpoint } from "../../wire/log/checkpoint.ts";
import { decodeEntry, encodeEntry, type LogEntry } from "../../wire/log/entry.ts";
import { EMPTY_ROOT, hashLeaf } from "../../wire/log/merkle.ts";
import { formatVerifierKey, NOTE_ED25519, type NoteSigner, noteSignerFromJwk } from "../../wire/log/note.ts";
import { formatProof } from "../../wire/log/proof.ts";
import {
  bundleMatchesTile,
  decodeBundle,
  type EdgeState,
  encodeBundle,
  MAX_ENTRY,
  TILE_WIDTH,
  type Tile,
  TreeEdge,
  tilePath,
  tileWidth,
} from "../../wire/log/tile.ts";
import { Journal, type SignedTree } from "./journal.ts";
import { checkpointPath, inParallel, type LogStore, proveInclusion, r2LogStore, readEntry } from "./store.ts";
import { cosign, type Witness, witnessesFrom } from "./witnesses.ts";

/** What the object needs of the Worker's environment. */
export interface LogEnv {
  readonly RECORDINGS: R2Bucket;
  /** The log is named after it: `<host>/log`, once, when it is opened. */
  readonly EDGE_ORIGIN: string;
  /** Private Ed25519 JWK, or a set of which the first signs. */
  readonly SIGNING_KEY: unknown;
  /** Instead of `SIGNING_KEY`, for the log alone. */
  readonly LOG_KEY?: unknown;
  /** JSON array of `{ url, key }`: witnesses that cosign (C2SP tlog-witness). */
  readonly WITNESSES?: string;
}

export interface LogFailure {
  readonly ok: false;
  readonly code:
    | "ENTRY_MALFORMED"
    | "ENTRY_EXISTS"
    | "ENTRY_UNKNOWN"
    | "LOG_FROZEN"
    | "LOG_FULL"
    | "LOG_UNAVAILABLE";
  readonly message: string;
}
export type Appended = { readonly ok: true; readonly index: number } | LogFailure;

export interface AppendOptions {
  /**
   * `published` (the default): answered when a signed checkpoint holds the entry. `sequenced`: answered when
   * the entry has its number, which nothing takes away; the checkpoint follows within about a second.
   */
  readonly wait?: "published" | "sequenced";
}

/** A proof in C2SP tlog-proof form with the entry that it proves. */
export type ProvenEntry =
  | { readonly ok: true; readonly index: number; readonly entry: Uint8Array; readonly proof: string }
  | LogFailure;

/** Entries that a session has at most once. */
const once = new Set<LogEntry["type"]>(["session.start", "session.end", "recording.complete"]);
/** Entries put into one checkpoint at most. */
const BATCH = 4 * TILE_WIDTH;
/** Entries that may wait for R2. */
const MAX_BACKLOG = 20_000;
/** An entry that nobody waits for is published after so many milliseconds. */
const BATCH_MS = 1000;
/** How long `append` waits for R2, milliseconds. */
const PUBLISH_TIMEOUT_MS = 10_000;
const MAX_RETRY_MS = 30_000;

/** When no witness has cosigned, they are asked again after this time, milliseconds. */
const WITNESS_RETRY_MS = 10_000;

interface Opened {
  readonly origin: string;
  readonly signer: NoteSigner;
  /** The signed tree and its edge; replaced together. */
  tree: SignedTree;
  edge: TreeEdge;
}

export class LogObject extends DurableObject<LogEnv> {
  readonly #journal: Journal;
  readonly #store: LogStore;
  readonly #witnesses: readonly Witness[];
  #opened: Promise<Opened> | null = null;
  #publishing: Promise<void> | null = null;
  #cosigning: Promise<void> | null = null;
  #retryMs = BATCH_MS;
  #waiters: { readonly index: number; readonly resolve: (published: boolean) => void }[] = [];

  constructor(ctx: DurableObjectState, env: LogEnv) {
    super(ctx, env);
    this.#journal = new Journal(ctx.storage);
    this.#store = r2LogStore(env.RECORDINGS);
    this.#witnesses = witnessesFrom(env.WITNESSES);
  }

  /** Puts an entry into the log (`wire/log/entry.ts`, encoded). Its number is answered. */
  append(bytes: Uint8Array, options: AppendOptions = {}): Promise<Appended> {
    return this.#append(bytes, options, () => null);
  }

  /** `complete` gives other bytes of an entry about a session, from what is known when it gets its number. */
  async #append(
    given: Uint8Array,
    options: AppendOptions,
    complete: (session: string) => Uint8Array | null,
  ): Promise<Appended> {
    const decoded = decodeEntry(given);
    if (!decoded.ok) return decoded;
    let log: Opened;
    try {
      log = await this.#open();
    } catch (error) {
      return this.#unavailable(error);
    }
    const frozen = this.#journal.frozen();
    if (frozen !== null) return { ok: false, code: "LOG_FROZEN", message: frozen };
    const { entry } = decoded;
    const session = "session" in entry ? entry.session : null;
    const bytes = (session === null ? null : complete(session)) ?? given;
    const earlier =
      session !== null && once.has(entry.type)
        ? this.#journal.ofSession(session).find((one) => one.type === entry.type)
        : undefined;
    if (earlier && !equalBytes(earlier.leaf, hashLeaf(bytes))) {
      return { ok: false, code: "ENTRY_EXISTS", message: `the session has another ${entry.type} already` };
    }
    if (entry.type === "session.progress" && this.#ended(entry.session))
      return { ok: false, code: "ENTRY_EXISTS", message: "the session's end is in the log already" };
    const index = earlier?.idx ?? this.#journal.next(log.tree.size);
    if (!earlier) {
      if (index - log.tree.size >= MAX_BACKLOG) {
        return { ok: false, code: "LOG_FULL", message: "too many entries wait for the object store" };
      }
      this.#journal.append(index, bytes, entry.type, session);
    }
    if (options.wait === "sequenced") {
      await this.#wakeWithin(BATCH_MS);
      return { ok: true, index };
    }
    await this.#wakeWithin(MAX_RETRY_MS);
    if (await this.#published(index)) return { ok: true, index };
    return this.#unavailable(new Error("the entry has its number, but no checkpoint yet"));
  }

  /** As `append`, for an entry that is not encoded yet. The end of a session is given the number of its words. */
  async appendEntry(entry: LogEntry, options: AppendOptions = {}): Promise<Appended> {
    const bytes = encodeEntry(entry);
    if (!bytes)
      return { ok: false, code: "ENTRY_MALFORMED", message: `not of its form, or over ${MAX_ENTRY} bytes` };
    return this.#append(bytes, options, (session) => {
      return entry.type === "session.end" ? encodeEntry({ ...entry, words: this.#words(session) }) : null;
    });
  }

  #words(session: string): number {
    return this.#journal.ofSession(session).filter((one) => one.type === "session.progress").length;
  }

  #ended(session: string): boolean {
    return this.#journal.ofSession(session).some((one) => one.type === "session.end");
  }

  /** The newest signed checkpoint; null while the log is empty. */
  async checkpoint(): Promise<string | null> {
    const { tree } = await this.#open();
    const cosigned = this.#journal.cosigned();
    const bytes = cosigned?.size === tree.size ? cosigned.checkpoint : tree.checkpoint;
    return bytes && fromUtf8(bytes);
  }

  /** The log's public key as a vkey: its name is the origin. */
  async verifierKey(): Promise<string> {
    return formatVerifierKey((await this.#open()).signer);
  }

  /** Why the log takes no entries; null while it does. */
  async frozen(): Promise<string | null> {
    return this.#journal.frozen();
  }

  /**
   * Proves an entry in the newest cosigned checkpoint that holds it, or in the newest one. Publishes first
   * when the entry is sequenced only.
   */
  async proof(index: number): Promise<ProvenEntry> {
    const unknown = { ok: false, code: "ENTRY_UNKNOWN", message: `there is no entry ${index}` } as const;
    try {
      const log = await this.#open();
      if (!Number.isSafeInteger(index) || index < 0 || index >= this.#journal.next(log.tree.size))
        return unknown;
      if (index >= log.tree.size) await this.#publish();
      await this.#cosigning;
      const cosigned = this.#journal.cosigned();
      const { size, checkpoint } = cosigned && cosigned.size > index ? cosigned : log.tree;
      if (index >= size || !checkpoint) return unknown;
      const hashes = await proveInclusion(this.#store, index, size);
      const entry = await readEntry(this.#store, index, size);
      if (!hashes || !entry) throw new Error("a file of the log is missing in the object store");
      const proof = fromUtf8(formatProof({ index, hashes, checkpoint, extra: null }))!;
      return { ok: true, index, entry, proof };
    } catch (error) {
      return this.#unavailable(error);
    }
  }

  /** Proofs of the entries about a session, of all types or those given, in order. */
  async proofsOf(session: string, types?: readonly string[]): Promise<ProvenEntry[]> {
    const proofs: ProvenEntry[] = [];
    for (const { idx, type } of this.#journal.ofSession(session)) {
      if (!types || types.includes(type)) proofs.push(await this.proof(idx));
    }
    return proofs;
  }

  override async alarm(): Promise<void> {
    try {
      await this.#publish();
      this.#retryMs = BATCH_MS;
      await this.#cosign();
    } catch {
      // Told to whoever waits in `append`; here only the next try matters.
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
      await this.ctx.storage.setAlarm(Date.now() + this.#retryMs);
    }
  }

  /** Sees to it that an alarm publishes what is left, at the latest so many milliseconds from now. */
  async #wakeWithin(ms: number): Promise<void> {
    const due = Date.now() + ms;
    const set = await this.ctx.storage.getAlarm();
    if (set === null || set > due) await this.ctx.storage.setAlarm(due);
  }

  /** Resolves to whether a checkpoint holds the entry, within the time that `append` waits. */
  #published(index: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(false), PUBLISH_TIMEOUT_MS);
      const settle = (published: boolean) => {
        clearTimeout(timer);
        this.#waiters = this.#waiters.filter((one) => one !== waiter);
        resolve(published);
      };
      const waiter = { index, resolve: settle };
      this.#waiters.push(waiter);
      this.#publish().then(
        () => settle(true),
        () => settle(false),
      );
    });
  }

  /** Signs a tree that holds every entry numbered so far. One at a time; a later call waits for its turn. */
  async #publish(): Promise<void> {
    const log = await this.#open();
    const target = this.#journal.next(log.tree.size);
    while (log.tree.size < target) {
      this.#publishing ??= this.#publishBatch(log).finally(() => {
        this.#publishing = null;
      });
      await this.#publishing;
    }
    if (this.#witnesses.length > 0) void this.#cosign().catch(() => {});
  }

  async #publishBatch(log: Opened): Promise<void> {
    const from = log.tree.size;
    const to = Math.min(this.#journal.next(from), from + BATCH);
    const first = from - (from % TILE_WIDTH);
    const entries = this.#journal.entries(first, to);
    const edge = TreeEdge.restore(log.edge.state());
    if (!edge || entries.length !== to - first) throw await this.#freeze("the journal is not whole");
    const full: Tile[] = entries.slice(from - first).flatMap((entry) => edge.append(hashLeaf(entry)));
    const tiles = [...full, ...edge.partialTiles()];
    const writes = tiles.map((tile) => ({ path: tilePath(tile), bytes: tile.bytes }));
    for (let at = 0; at < entries.length; at += TILE_WIDTH) {
      const bundle = entries.slice(at, at + TILE_WIDTH);
      const name = { level: "entries", index: (first + at) / TILE_WIDTH, width: bundle.length } as const;
      writes.push({ path: tilePath(name), bytes: encodeBundle(bundle)! });
    }
    const checkpoint = { origin: log.origin, size: to, root: edge.root(), extensions: [] };
    const bytes = await signCheckpoint(checkpoint, log.signer);
    if (!bytes) throw new Error("the checkpoint has no form");
    const outcomes = await inParallel(writes.map((file) => () => this.#store.create(file.path, file.bytes)));
    const clash = outcomes.indexOf("different");
    if (clash >= 0)
      throw await this.#freeze(`${writes[clash]!.path} is in the object store with other bytes`);
    const kept = await this.#store.create(checkpointPath(to), bytes);
    // Ed25519 is deterministic: other bytes are another key's or another tree's.
    if (kept === "different")
      throw await this.#freeze(`another checkpoint of size ${to} is in the object store`);
    const tree: SignedTree = { origin: log.origin, size: to, root: checkpoint.root, checkpoint: bytes };
    if (!this.#journal.advance(from, tree, edge.state()))
      throw await this.#freeze("the tree moved meanwhile");
    await this.ctx.storage.sync();
    log.tree = tree;
    log.edge = edge;
    for (const waiter of this.#waiters.filter((one) => one.index < to)) waiter.resolve(true);
  }

  /** Asks the witnesses for the newest checkpoint, one round at a time. */
  #cosign(): Promise<void> {
    this.#cosigning ??= this.#cosignRound().finally(() => {
      this.#cosigning = null;
    });
    return this.#cosigning;
  }

  async #cosignRound(): Promise<void> {
    const log = await this.#open();
    // The tree may grow while a witness is asked: the newest one is what counts.
    while (log.tree.checkpoint && this.#journal.cosigned()?.size !== log.tree.size) {
      if (await this.#cosignTree(log)) continue;
      await this.#wakeWithin(WITNESS_RETRY_MS);
      return;
    }
  }

  /** Asks for the tree as it is now. False when no witness has cosigned it. */
  async #cosignTree({ tree, signer }: Opened): Promise<boolean> {
    if (!tree.checkpoint) return false;
    const cosigned = await cosign(this.#witnesses, tree.checkpoint, tree.size, {
      store: this.#store,
      sizeAt: (name) => this.#journal.witnessSize(name),
      cosignedAt: (name, size) => this.#journal.saveWitnessSize(name, size),
    });
    if (!cosigned) return false;
    const keys = this.#witnesses.map((witness) => witness.key);
    const checked = await openCheckpoint(cosigned, signer, keys);
    if (!checked.ok || checked.checkpoint.size <= (this.#journal.cosigned()?.size ?? 0)) return false;
    this.#journal.saveCosigned({ size: tree.size, checkpoint: cosigned });
    return true;
  }

  /** Opens the log once: from the journal, or from R2 when the journal is new, or at its beginning. */
  #open(): Promise<Opened> {
    this.#opened ??= this.#load().catch((error: unknown) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  async #load(): Promise<Opened> {
    const known = this.#journal.tree();
    const origin = known?.origin ?? `${new URL(this.env.EDGE_ORIGIN).host}/log`;
    const signer = await logSigner(origin, this.env.LOG_KEY ?? this.env.SIGNING_KEY);
    const beyond = await this.#store.newestCheckpoint(known ? this.#journal.next(known.size) : 0);
    if (known) {
      if (beyond)
        throw await this.#freeze(`the object store has a checkpoint of size ${beyond.size}, beyond this`);
      const edge = this.#journal.edge(known.size);
      if (!edge || !equalBytes(edge.root(), known.root))
        throw await this.#freeze("the tree's edge is broken");
      return { origin, signer, tree: known, edge };
    }
    const recovered = beyond ? await this.#recover(origin, signer, beyond.bytes) : null;
    const edge = recovered?.edge ?? new TreeEdge();
    const tree: SignedTree = {
      origin,
      size: edge.size,
      root: beyond ? edge.root() : EMPTY_ROOT,
      checkpoint: beyond?.bytes ?? null,
    };
    this.#journal.open(tree, edge.state(), recovered?.tail ?? []);
    return { origin, signer, tree, edge };
  }

  /** Reads the tree of a checkpoint back from R2 and checks it against its signature and its root. */
  async #recover(origin: string, signer: NoteSigner, checkpoint: Uint8Array) {
    const opened = await openCheckpoint(checkpoint, signer);
    if (!opened.ok)
      throw await this.#freeze(`the object store has a log that is not ${origin}: ${opened.message}`);
    const { size, root } = opened.checkpoint;
    const levels: Uint8Array[] = [];
    for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / TILE_WIDTH)) {
      const index = Math.floor(hashes / TILE_WIDTH);
      const width = tileWidth(level, index, size);
      const bytes =
        width === 0 ? new Uint8Array() : await this.#store.read(tilePath({ level, index, width }));
      if (!bytes) throw await this.#freeze(`tile ${index} of level ${level} is missing in the object store`);
      levels.push(bytes);
    }
    const state: EdgeState = { size, levels };
    const edge = TreeEdge.restore(state);
    if (!edge || !equalBytes(edge.root(), root))
      throw await this.#freeze("the tiles are not those of the checkpoint");
    const width = size % TILE_WIDTH;
    const name = { level: "entries", index: Math.floor(size / TILE_WIDTH), width } as const;
    const bundle = width === 0 ? new Uint8Array() : await this.#store.read(tilePath(name));
    const tail = bundle && decodeBundle(bundle, width);
    if (!tail || !bundleMatchesTile(tail, levels[0] ?? new Uint8Array(), hashLeaf)) {
      throw await this.#freeze("the last entries are not those of the checkpoint");
    }
    return { edge, tail };
  }

  async #freeze(reason: string): Promise<Error> {
    this.#journal.freeze(reason);
    await this.ctx.storage.sync();
    console.error(JSON.stringify({ alarm: "LOG_FROZEN", reason }));
    return new Error(reason);
  }

  #unavailable(error: unknown): LogFailure {
    const frozen = this.#journal.frozen();
    if (frozen !== null) return { ok: false, code: "LOG_FROZEN", message: frozen };
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, code: "LOG_UNAVAILABLE", message };
  }
}

/** The log's signer from a secret. Throws when it is no Ed25519 key: the deployment is not configured. */
async function logSigner(origin: string, secret: unknown): Promise<NoteSigner> {
  const value = (typeof secret === "string" ? JSON.parse(secret) : secret) as { keys?: object[] } | null;
  const signer = await noteSignerFromJwk(origin, NOTE_ED25519, value?.keys?.[0] ?? value ?? {});
  if (!signer) throw new Error("the log's key is not an Ed25519 JWK, or its name not a key's name");
  return signer;
}
