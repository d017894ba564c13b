/**
 * The sequencer's own storage: which entry has which number, and how far the signed tree has come. It is the
 * lock of the log: a number is given here, once, before anything is written to R2; what R2 holds can always
 * be made again from here or be read back from there.
 *
 * Rows of `entries` are those from the start of the last bundle that is not full in the signed tree.
 */
import { type Hash, hashLeaf } from "../../wire/log/merkle.ts";
import { type EdgeState, TILE_WIDTH, TreeEdge } from "../../wire/log/tile.ts";

/** The signed tree. */
export interface SignedTree {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** The note's bytes; null before the first. */
  readonly checkpoint: Uint8Array | null;
}

/** A checkpoint that witnesses have cosigned. */
export interface CosignedTree {
  readonly size: number;
  readonly checkpoint: Uint8Array;
}

/** Storage of one log. All methods are synchronous; writes of one event are committed together. */
export class Journal {
  readonly #sql: SqlStorage;
  readonly #transaction: <T>(work: () => T) => T;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#transaction = (work) => storage.transactionSync(work);
    this.#sql.exec(`
      CREATE TABLE IF NOT EXISTS tree (
        id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL,
        size INTEGER NOT NULL, root BLOB NOT NULL, checkpoint BLOB);
      CREATE TABLE IF NOT EXISTS edge (level INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS entries (idx INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS subjects (
        session TEXT NOT NULL, type TEXT NOT NULL, idx INTEGER NOT NULL, leaf BLOB NOT NULL,
        PRIMARY KEY (session, type, idx)) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS cosigned (
        id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL, checkpoint BLOB NOT NULL);
      CREATE TABLE IF NOT EXISTS witnesses (name TEXT PRIMARY KEY, size INTEGER NOT NULL);
      CREATE TABLE IF NOT EXISTS frozen (id INTEGER PRIMARY KEY CHECK (id = 1), reason TEXT NOT NULL);
    `);
  }

  /** The signed tree, or null for a log that was never opened here. */
  tree(): SignedTree | null {
    const row = this.#sql
      .exec<{ origin: string; size: number; root: ArrayBuffer; checkpoint: ArrayBuffer | null }>(
        "SELECT origin, size, root, checkpoint FROM tree",
      )
      .toArray()[0];
    if (!row) return null;
    const checkpoint = row.checkpoint && new Uint8Array(row.checkpoint);
    return { origin: row.origin, size: row.size, root: new Uint8Array(row.root), checkpoint };
  }

  /** Opens the log: at its beginning, or at what was recovered from R2. */
  open(tree: SignedTree, edge: EdgeState, tail: readonly Uint8Array[]): void {
    this.#transaction(() => {
      this.#sql.exec(
        "INSERT INTO tree (id, origin, size, root, checkpoint) VALUES (1, ?, ?, ?, ?)",
        tree.origin,
        tree.size,
        tree.root,
        tree.checkpoint,
      );
      this.#saveEdge(edge);
      const first = tree.size - tail.length;
      tail.forEach((bytes, i) => {
        this.#sql.exec("INSERT INTO entries (idx, bytes) VALUES (?, ?)", first + i, bytes);
      });
    });
  }

  /** The right edge of the signed tree, or null when it is broken. */
  edge(size: number): TreeEdge | null {
    const levels = this.#sql
      .exec<{ hashes: ArrayBuffer }>("SELECT hashes FROM edge ORDER BY level")
      .toArray()
      .map((row) => new Uint8Array(row.hashes));
    return TreeEdge.restore({ size, levels });
  }

  /** The number that the next entry gets. */
  next(signed: number): number {
    const row = this.#sql.exec<{ last: number | null }>("SELECT max(idx) AS last FROM entries").one();
    return row.last === null ? signed : row.last + 1;
  }

  /** Gives an entry its number. */
  append(idx: number, bytes: Uint8Array, type: string, session: string | null): void {
    this.#transaction(() => {
      this.#sql.exec("INSERT INTO entries (idx, bytes) VALUES (?, ?)", idx, bytes);
      if (session !== null) {
        const leaf = hashLeaf(bytes);
        this.#sql.exec("INSERT INTO subjects VALUES (?, ?, ?, ?)", session, type, idx, leaf);
      }
    });
  }

  /** Entries `[from, to)`, as far as they are still here. */
  entries(from: number, to: number): Uint8Array[] {
    return this.#sql
      .exec<{ bytes: ArrayBuffer }>(
        "SELECT bytes FROM entries WHERE idx >= ? AND idx < ? ORDER BY idx",
        from,
        to,
      )
      .toArray()
      .map((row) => new Uint8Array(row.bytes));
  }

  /** Numbers and leaf hashes of a session's entries, in order. */
  ofSession(session: string): { idx: number; type: string; leaf: Hash }[] {
    return this.#sql
      .exec<{ idx: number; type: string; leaf: ArrayBuffer }>(
        "SELECT idx, type, leaf FROM subjects WHERE session = ? ORDER BY idx",
        session,
      )
      .toArray()
      .map((row) => ({ idx: row.idx, type: row.type, leaf: new Uint8Array(row.leaf) }));
  }

  /** Moves the signed tree forward. False, and nothing changes, when it is not where `from` says. */
  advance(from: number, tree: SignedTree, edge: EdgeState): boolean {
    return this.#transaction(() => {
      const moved = this.#sql.exec(
        "UPDATE tree SET size = ?, root = ?, checkpoint = ? WHERE size = ? AND size <= ?",
        tree.size,
        tree.root,
        tree.checkpoint,
        from,
        tree.size,
      );
      if (moved.rowsWritten === 0) return false;
      this.#saveEdge(edge);
      this.#sql.exec("DELETE FROM entries WHERE idx < ?", tree.size - (tree.size % TILE_WIDTH));
      return true;
    });
  }

  #saveEdge(edge: EdgeState): void {
    this.#sql.exec("DELETE FROM edge");
    edge.levels.forEach((hashes, level) => {
      this.#sql.exec("INSERT INTO edge (level, hashes) VALUES (?, ?)", level, hashes);
    });
  }

  /** The newest checkpoint that a witness has cosigned. */
  cosigned(): CosignedTree | null {
    const row = this.#sql
      .exec<{ size: number; checkpoint: ArrayBuffer }>("SELECT size, checkpoint FROM cosigned")
      .toArray()[0];
    return row ? { size: row.size, checkpoint: new Uint8Array(row.checkpoint) } : null;
  }

  saveCosigned(tree: CosignedTree): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO cosigned (id, size, checkpoint) VALUES (1, ?, ?)",
      tree.size,
      tree.checkpoint,
    );
  }

  /** The size that a witness has last cosigned, as far as is known; 0 = never. */
  witnessSize(name: string): number {
    return (
      this.#sql.exec<{ size: number }>("SELECT size FROM witnesses WHERE name = ?", name).toArray()[0]
        ?.size ?? 0
    );
  }

  saveWitnessSize(name: string, size: number): void {
    this.#sql.exec("INSERT OR REPLACE INTO witnesses (name, size) VALUES (?, ?)", name, size);
  }

  /** Why the log signs nothing more; null while it does. */
  frozen(): string | null {
    return this.#sql.exec<{ reason: string }>("SELECT reason FROM frozen").toArray()[0]?.reason ?? null;
  }

  freeze(reason: string): void {
    this.#sql.exec("INSERT OR IGNORE INTO frozen (id, reason) VALUES (1, ?)", reason);
  }
}
