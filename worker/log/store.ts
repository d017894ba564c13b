/**
 * Where the log's files are: R2 objects under `log/`, each written once and never changed. The checkpoint
 * that is served comes from the sequencer's own storage; `log/checkpoint/<size>` keeps every one ever signed.
 */
import { equalBytes } from "../../wire/log/bytes.ts";
import {
  consistencyRanges,
  type Hash,
  inclusionRanges,
  type Node,
  nodesOf,
  proofFrom,
  type Range,
} from "../../wire/log/merkle.ts";
import { decodeBundle, hashFromTile, TILE_WIDTH, tileOf, tilePath, tileWidth } from "../../wire/log/tile.ts";

/** Prefix of the log's objects in the bucket of the recordings. */
export const LOG_PREFIX = "log/";
const CHECKPOINTS = "checkpoint/";
/** R2 requests under way at once: Workers let six wait for their answer. */
const PARALLEL = 6;

/** Files by path below the prefix. Every method throws when the store does not answer. */
export interface LogStore {
  read(path: string): Promise<Uint8Array | null>;
  /** Creates a file. `different` when it is there with other bytes: it is left alone. */
  create(path: string, bytes: Uint8Array): Promise<"created" | "same" | "different">;
  /** The largest size of which a checkpoint is kept, if above `size`; null when there is none. */
  newestCheckpoint(size: number): Promise<{ size: number; bytes: Uint8Array } | null>;
}

/** Path of the checkpoint of one size. */
export function checkpointPath(size: number): string {
  return `${CHECKPOINTS}${String(size).padStart(16, "0")}`;
}

/** The log's files in an R2 bucket. */
export function r2LogStore(bucket: R2Bucket): LogStore {
  async function read(path: string): Promise<Uint8Array | null> {
    const object = await bucket.get(LOG_PREFIX + path);
    return object ? new Uint8Array(await object.arrayBuffer()) : null;
  }
  return {
    read,
    async create(path, bytes) {
      const put = await bucket.put(LOG_PREFIX + path, bytes, { onlyIf: { etagDoesNotMatch: "*" } });
      if (put) return "created";
      const there = await read(path);
      return there && equalBytes(there, bytes) ? "same" : "different";
    },
    async newestCheckpoint(size) {
      let startAfter = LOG_PREFIX + checkpointPath(size);
      let last: string | null = null;
      for (;;) {
        const page = await bucket.list({ prefix: LOG_PREFIX + CHECKPOINTS, startAfter });
        last = page.objects.at(-1)?.key ?? last;
        if (!page.truncated || last === null) break;
        startAfter = last;
      }
      if (last === null) return null;
      const path = last.slice(LOG_PREFIX.length);
      const bytes = await read(path);
      return bytes && { size: Number(path.slice(CHECKPOINTS.length)), bytes };
    },
  };
}

/** Runs the tasks, a few at a time; rejects with the first failure after those under way have ended. */
export async function inParallel<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    while (next < tasks.length) {
      const at = next++;
      results[at] = await tasks[at]!();
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, tasks.length) }, worker));
  const failed = ended.find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
  return results;
}

/** Hashes that prove entry `index` of the tree of `size` entries; null when a file is missing. */
export function proveInclusion(store: LogStore, index: number, size: number): Promise<Hash[] | null> {
  return prove(store, inclusionRanges(index, size), size);
}

/** Hashes that prove that the tree of `size` entries extends that of `oldSize`; null when a file is missing. */
export function proveConsistency(store: LogStore, oldSize: number, size: number): Promise<Hash[] | null> {
  return prove(store, consistencyRanges(oldSize, size), size);
}

async function prove(store: LogStore, ranges: readonly Range[] | null, size: number): Promise<Hash[] | null> {
  if (!ranges) return null;
  const paths = new Set<string>();
  for (const node of nodesOf(ranges)) paths.add(pathOf(node, size));
  const tiles = new Map<string, Uint8Array | null>();
  await inParallel([...paths].map((path) => async () => void tiles.set(path, await store.read(path))));
  let complete = true;
  const proof = proofFrom(ranges, (node) => {
    const bytes = tiles.get(pathOf(node, size));
    const hash = bytes ? hashFromTile(node, bytes) : null;
    if (!hash) complete = false;
    return hash ?? new Uint8Array(32);
  });
  return complete ? proof : null;
}

function pathOf(node: Node, size: number): string {
  const name = tileOf(node, size);
  if (!name) throw new RangeError("the tree has no such node");
  return tilePath(name);
}

/** Entry `index` of a tree of `size` entries from its bundle; null when the bundle is missing or broken. */
export async function readEntry(store: LogStore, index: number, size: number): Promise<Uint8Array | null> {
  const bundle = Math.floor(index / TILE_WIDTH);
  const width = tileWidth(0, bundle, size);
  const bytes = index < size ? await store.read(tilePath({ level: "entries", index: bundle, width })) : null;
  const entries = bytes && decodeBundle(bytes, width);
  return entries?.[index % TILE_WIDTH] ?? null;
}
