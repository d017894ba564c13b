import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSegment, verifyChain } from "../wire/recording.ts";
import type { Log } from "./log.ts";
import { Spool } from "./spool.ts";
import { Uploader } from "./uploader.ts";

const HOUR = 3_600_000;
const SESSIONS = 6;
const STATEMENTS = 20;
/** Sessions that are brought at once. */
const AT_ONCE = 4;
const quiet = Object.assign(() => {}, { with: () => quiet }) as unknown as Log;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "wicket-upload-"));
});
afterEach(() => {
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true, force: true });
});

/** A clock that goes on when everybody waits for it. */
class Clock {
  now = 0;
  /** Every pause that began, milliseconds. */
  readonly pauses: number[] = [];
  #sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  sleep = (ms: number, signal: AbortSignal): Promise<void> => {
    this.pauses.push(ms);
    if (signal.aborted) return Promise.resolve();
    return new Promise((wake) => {
      this.#sleepers.push({ at: this.now + ms, wake });
      signal.addEventListener("abort", () => wake());
    });
  };

  get waiting(): number {
    return this.#sleepers.length;
  }

  next(): void {
    const [first, ...rest] = this.#sleepers.sort((a, b) => a.at - b.at);
    this.#sleepers = rest;
    this.now = first!.at;
    first!.wake();
  }
}

/** The edge behind a network that is cut; what it stores, and in which order. */
class CutEdge {
  readonly stored = new Map<string, Uint8Array[]>();
  readonly tried = new Map<string, number[]>();
  repeated = 0;
  #answersLost = 12;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  put = async (url: string, { body, headers }: { body: Uint8Array; headers: Record<string, string> }) => {
    const [session, sequence] = url.split("/").slice(-2) as [string, string];
    this.tried.set(session, [...(this.tried.get(session) ?? []), this.#clock.now]);
    if (this.#clock.now < HOUR) throw new TypeError("fetch failed");
    const digest = createHash("sha256").update(body).digest("base64");
    expect(headers["content-digest"]).toBe(`sha-256=:${digest}:`);
    const stored = this.stored.get(session) ?? [];
    this.stored.set(session, stored);
    // Created once: what comes again has to be the same, and nothing is left out.
    if (Number(sequence) < stored.length) {
      expect(stored[Number(sequence)]).toEqual(new Uint8Array(body));
      this.repeated += 1;
      return new Response("{}", { status: 200 });
    }
    expect(Number(sequence)).toBe(stored.length);
    stored.push(new Uint8Array(body));
    // The network comes back badly: what is stored is not always answered.
    if (this.#answersLost-- > 0) throw new TypeError("fetch failed");
    return new Response("{}", { status: 201 });
  };
}

test("R1 the network is cut for an hour: what the spool has arrives afterwards, whole, in order and once", async () => {
  const clock = new Clock();
  const edge = new CutEdge(clock);
  vi.stubGlobal("fetch", edge.put);
  const spool: Spool = new Spool({
    ...{ folder, max: 1 << 24, log: quiet, now: () => 1_790_000_000_000 + clock.now },
    onSegment: (session) => uploader.kick(session),
  });
  let seed = 1;
  const random = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const identity = { token: async () => "token", state: async () => "statement" };
  const uploader: Uploader = new Uploader("http://edge.example", identity, spool, quiet, {
    ...{ sleep: clock.sleep, random },
  });
  const answer = new Uint8Array(1_000_000);
  // Sessions run when the network goes: their sockets break, and each recording is closed with that.
  for (let i = 0; i < SESSIONS; i++) {
    const recording = spool.begin(`s${i}`, "full", false);
    for (let n = 0; n < STATEMENTS; n++) {
      recording.add("frontend", new TextEncoder().encode(`statement ${n} of ${i}`));
      recording.flush();
      // Large answers fill a segment.
      if (n === 10) for (let k = 0; k < 5; k++) recording.add("backend", answer);
    }
    recording.flush();
    recording.close("CONNECTION_LOST");
  }
  const full = spool.used;
  expect(full).toBeGreaterThan(0);
  while (spool.sessions.length > 0) {
    // What is read from the disk and asked of the edge goes on until everybody waits for the clock.
    while (clock.waiting < Math.min(AT_ONCE, spool.sessions.length) && spool.sessions.length > 0)
      await new Promise((resolve) => setImmediate(resolve));
    if (clock.now < HOUR) expect(spool.used).toBe(full);
    if (spool.sessions.length > 0) clock.next();
  }
  await uploader.settle(1_000);
  expect(spool.used).toBe(0);
  expect(edge.stored.size).toBe(SESSIONS);
  expect(edge.repeated).toBeGreaterThan(0);
  for (const [session, segments] of edge.stored) {
    expect(segments.length).toBe(2);
    expect(verifyChain(session, segments)).toMatchObject({ ok: true });
    const read = segments.map((bytes) => readSegment(bytes));
    const texts = read.flatMap((one) =>
      one.ok
        ? one.entries
            .filter((entry) => entry.kind === "frontend")
            .map((entry) => new TextDecoder().decode(entry.bytes))
        : [],
    );
    const i = session.slice(1);
    expect(texts).toEqual(Array.from({ length: STATEMENTS }, (_, n) => `statement ${n} of ${i}`));
    expect(read.at(-1)).toMatchObject({ header: { final: { reason: "CONNECTION_LOST" } } });
  }
  // Full jitter with a bound: the pauses of the hour are spread over nothing to 30 seconds.
  const late = clock.pauses.slice(AT_ONCE * 8).sort((a, b) => a - b);
  expect(Math.max(...clock.pauses)).toBeLessThanOrEqual(30_000);
  const share = (below: number) => late.filter((ms) => ms < below).length / late.length;
  for (const part of [0.25, 0.5, 0.75]) expect(Math.abs(share(part * 30_000) - part)).toBeLessThan(0.1);
  for (const times of edge.tried.values()) {
    expect(times.filter((at) => at < HOUR).length).toBeGreaterThan(60);
    expect(times.find((at) => at >= HOUR)! - HOUR).toBeLessThanOrEqual(30_000);
  }
  expect(clock.now - HOUR).toBeLessThan(120_000);
});

test("recordings that cannot be brought for now hold up no other", async () => {
  const clock = new Clock();
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: string) => {
    const session = url.split("/").at(-2)!;
    asked.push(session);
    return session.startsWith("stuck")
      ? new Response('{"code":"LOG_UNAVAILABLE"}', { status: 503 })
      : new Response("{}", { status: 201 });
  });
  const identity = { token: async () => "token", state: async () => "statement" };
  const spool: Spool = new Spool({
    folder,
    max: 1 << 24,
    log: quiet,
    onSegment: (one) => uploader.kick(one),
  });
  const uploader: Uploader = new Uploader("http://edge.example", identity, spool, quiet, {
    ...{ sleep: clock.sleep, random: () => 1 },
  });
  for (const name of ["stuck0", "stuck1", "stuck2", "stuck3", "stuck4", "fine0", "fine1"]) {
    const recording = spool.begin(name, "full", false);
    recording.add("frontend", new TextEncoder().encode("x"));
    recording.close("CLIENT_TERMINATED");
  }
  while (spool.sessions.some((one) => one.startsWith("fine"))) {
    while (clock.waiting < AT_ONCE) await new Promise((resolve) => setImmediate(resolve));
    clock.next();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(clock.now).toBeLessThanOrEqual(2_000);
  expect(new Set(asked).size).toBe(7);
  await uploader.stop();
});
