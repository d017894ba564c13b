/** Logs for tests: a sequencer over a bucket in memory, and everything that it promises, checked from outside. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { fromUtf8, utf8 } from "../../wire/log/bytes.ts";
import { openCheckpoint, parseCheckpoint } from "../../wire/log/checkpoint.ts";
import { encodeEntry, type LogEntry } from "../../wire/log/entry.ts";
import { verifyConsistency } from "../../wire/log/merkle.ts";
import { parseVerifierKey } from "../../wire/log/note.ts";
import { checkProof, parseProof } from "../../wire/log/proof.ts";
import { type LogEnv, LogObject } from "./sequencer.ts";
import { LOG_PREFIX, proveConsistency, r2LogStore } from "./store.ts";

/** RFC 8032, section 7.1, test 1: a key that everyone knows. */
export const SIGNING_KEY = {
  kty: "OKP",
  crv: "Ed25519",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
};

/** As much of an R2 bucket as the log uses, with failures to order. */
export class MemoryBucket {
  readonly objects = new Map<string, Uint8Array>();
  /** Requests until every further one fails; null = never. */
  failAfter: number | null = null;
  requests = 0;

  #request(): void {
    this.requests += 1;
    if (this.failAfter !== null && this.failAfter-- <= 0) {
      this.failAfter = 0;
      throw new Error("R2 is down");
    }
  }

  async get(key: string) {
    this.#request();
    const bytes = this.objects.get(key);
    return bytes ? { arrayBuffer: async () => bytes.slice().buffer } : null;
  }

  async put(key: string, bytes: Uint8Array, options: { onlyIf?: { etagDoesNotMatch?: string } }) {
    this.#request();
    expect(options.onlyIf?.etagDoesNotMatch, "every object is create-only").toBe("*");
    if (this.objects.has(key)) return null;
    this.objects.set(key, bytes.slice());
    return {};
  }

  async list({ prefix, startAfter }: { prefix: string; startAfter: string }) {
    this.#request();
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > startAfter).sort();
    return { objects: keys.slice(0, 3).map((key) => ({ key })), truncated: keys.length > 3 };
  }
}

const binding = env as unknown as { LOG: DurableObjectNamespace<LogObject> };
let names = 0;

/** Runs with one object's storage; `start` makes a new instance over it, as after a reset. */
export function withStorage(
  work: (
    start: (bucket: MemoryBucket, more?: Partial<LogEnv>) => LogObject,
    state: DurableObjectState,
  ) => Promise<void>,
  name = `test-${names++}`,
): Promise<void> {
  return runInDurableObject(binding.LOG.getByName(name), async (_instance, state) => {
    await work((bucket, more) => {
      const RECORDINGS = bucket as unknown as R2Bucket;
      return new LogObject(state, { RECORDINGS, EDGE_ORIGIN: "https://edge.example", SIGNING_KEY, ...more });
    }, state);
    await state.storage.deleteAlarm();
  });
}

const read = (n: number): LogEntry => ({
  v: 1,
  type: "recording.read",
  time: n,
  session: "s_1",
  actor: { issuer: "https://idp.example", subject: "auditor" },
});
export const entryBytes = (n: number) => encodeEntry(read(n))!;

export async function append(log: LogObject, n: number): Promise<number> {
  const appended = await log.append(entryBytes(n));
  if (!appended.ok) throw new Error(`${appended.code}: ${appended.message}`);
  return appended.index;
}

/** Everything that the log promises, checked from outside: only by its key and its files. */
export async function expectWhole(log: LogObject, bucket: MemoryBucket, count: number): Promise<void> {
  const key = parseVerifierKey(await log.verifierKey())!;
  const opened = await openCheckpoint(utf8((await log.checkpoint())!), key);
  expect(opened).toMatchObject({ ok: true, checkpoint: { origin: "edge.example/log", size: count } });
  for (let index = 0; index < count; index += Math.max(1, Math.floor(count / 17))) {
    const proven = await log.proof(index);
    if (!proven.ok) throw new Error(proven.message);
    const checked = await checkProof(parseProof(utf8(proven.proof))!, proven.entry, key);
    expect(checked.ok).toBe(true);
  }
  await expectConsistent(bucket);
}

/** Every checkpoint ever kept is by one key and extends the one before it. */
export async function expectConsistent(bucket: MemoryBucket): Promise<void> {
  bucket.failAfter = null;
  const keys = [...bucket.objects.keys()].filter((key) => key.startsWith(`${LOG_PREFIX}checkpoint/`)).sort();
  let before: { size: number; root: Uint8Array } | null = null;
  const store = r2LogStore(bucket as unknown as R2Bucket);
  for (const key of keys) {
    const text = fromUtf8(bucket.objects.get(key)!)!;
    const { size, root } = parseCheckpoint(text.slice(0, text.indexOf("\n\n") + 1))!;
    expect(Number(key.slice(-16))).toBe(size);
    if (before) {
      const proof = (await proveConsistency(store, before.size, size))!;
      expect(verifyConsistency(before.size, before.root, size, root, proof)).toBe(true);
    }
    before = { size, root };
  }
}
