/**
 * Brings the spool's segments to the edge, in order for each session, a few sessions at a time. What fails is
 * tried again with growing pauses (full jitter), after the other sessions had their turn, so that one that cannot be
 * brought holds up no other; what the edge will never take is set aside, loudly.
 */
import { createHash } from "node:crypto";
import { readSegmentHeader } from "../wire/recording.ts";
import { backoff, sleep } from "./backoff.ts";
import type { ConnectorIdentity } from "./identity.ts";
import type { Log } from "./log.ts";
import type { Spool, SpooledSegment } from "./spool.ts";

const AT_ONCE = 4;
const TIMEOUT_MS = 30_000;

export interface UploadCounts {
  segments: number;
  bytes: number;
  failures: number;
  refused: number;
}

/** How pauses are made; tests have a clock of their own. */
export interface Pauses {
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 to 1. */
  random(): number;
}

type Outcome = "stored" | "again" | "refused";

export class Uploader {
  readonly #edge: string;
  readonly #identity: Pick<ConnectorIdentity, "token" | "state">;
  readonly #spool: Spool;
  readonly #log: Log;
  readonly #pauses: Pauses;
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  /** Sessions that got a segment while they were uploading. */
  readonly #more = new Set<string>();
  /** Number of the next segment by session. */
  readonly #next = new Map<string, number>();
  /** Failures in a row by session. */
  readonly #failed = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly counts: UploadCounts = { segments: 0, bytes: 0, failures: 0, refused: 0 };

  constructor(
    edge: string,
    identity: Pick<ConnectorIdentity, "token" | "state">,
    spool: Spool,
    log: Log,
    pauses: Pauses = { sleep, random: Math.random },
  ) {
    this.#pauses = pauses;
    this.#edge = edge;
    this.#identity = identity;
    this.#spool = spool;
    this.#log = log;
  }

  /** A session has a new segment. */
  kick(session: string): void {
    if (this.#stop.signal.aborted) return;
    if (this.#running.has(session)) this.#more.add(session);
    else this.#waiting.add(session);
    this.#fill();
  }

  #fill(): void {
    for (const session of this.#waiting) {
      if (this.#running.size >= AT_ONCE) return;
      this.#waiting.delete(session);
      const work = this.#drain(session)
        .catch((error: unknown) => this.#log("error", "upload failed", { session, error }))
        .finally(() => {
          this.#running.delete(session);
          if (this.#more.delete(session)) this.#waiting.add(session);
          this.#fill();
        });
      this.#running.set(session, work);
    }
  }

  async #drain(session: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const next = this.#next.get(session) ?? 0;
      const segment = this.#spool.segments(session).find((one) => one.sequence >= next);
      if (!segment) return;
      const outcome = await this.#upload(session, segment);
      if (outcome === "again") {
        this.counts.failures += 1;
        const attempt = this.#failed.get(session) ?? 0;
        this.#failed.set(session, attempt + 1);
        await this.#pauses.sleep(backoff(attempt, this.#pauses.random), this.#stop.signal);
        if (this.#waiting.size === 0) continue;
        this.#more.add(session);
        return;
      }
      this.#failed.delete(session);
      if (outcome !== "refused") continue;
      this.counts.refused += 1;
      this.#next.delete(session);
      this.#spool.setAside(session);
      return;
    }
  }

  async #upload(session: string, segment: SpooledSegment): Promise<Outcome> {
    const { sequence } = segment;
    let bytes: Uint8Array;
    try {
      bytes = await this.#spool.stored(session, segment);
    } catch (error) {
      this.#log("error", "segment not read or not sealed", { session, sequence, error });
      return "again";
    }
    const read = readSegmentHeader(bytes);
    if (!read.ok) {
      this.#log("error", "segment is damaged", { session, sequence, error: read.message });
      return "refused";
    }
    const { header } = read;
    const sum = createHash("sha256").update(bytes).digest();
    const headers: Record<string, string> = {
      "content-type": "application/octet-stream",
      "content-digest": `sha-256=:${sum.toString("base64")}:`,
    };
    if (header.final) {
      const { frontend, backend } = header;
      const roots = {
        frontend: { entries: frontend.next, root: frontend.root },
        backend: { entries: backend.next, root: backend.root },
      };
      const facts = { session, roots, segments: sequence + 1, last: sum.toString("hex") };
      headers["wicket-statement"] = Buffer.from(await this.#identity.state(facts)).toString("base64");
    }
    let response: Response;
    try {
      headers["authorization"] = `Bearer ${await this.#identity.token()}`;
      response = await fetch(`${this.#edge}/connector/recordings/${session}/${sequence}`, {
        ...{ method: "PUT", headers, body: bytes, redirect: "error" },
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
    } catch (error) {
      this.#log("debug", "upload not answered", { session, sequence, error });
      return "again";
    }
    if (response.ok) {
      await response.body?.cancel();
      this.counts.segments += 1;
      this.counts.bytes += bytes.length;
      if (header.final) this.#next.delete(session);
      else this.#next.set(session, sequence + 1);
      this.#spool.uploaded(session, sequence, header.final !== undefined);
      return "stored";
    }
    const answer = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
    const facts = { session, sequence, status: response.status, code: answer.code, message: answer.message };
    // A token may be refused for its time; anything else that the edge knows for sure stays refused.
    if (response.status >= 500 || response.status === 429 || response.status === 401) {
      this.#log("warn", "upload put off", facts);
      return "again";
    }
    this.#log("error", "recording refused by the edge and set aside", facts);
    return "refused";
  }

  /** Resolves when nothing is left to upload, or after `ms`. */
  async settle(ms: number): Promise<boolean> {
    const end = Date.now() + ms;
    while (this.#running.size + this.#waiting.size > 0 && Date.now() < end) {
      await Promise.race([...this.#running.values(), sleep(Math.max(1, end - Date.now()))]);
    }
    return this.#running.size + this.#waiting.size === 0;
  }

  /** Sends nothing more. */
  async stop(): Promise<void> {
    this.#waiting.clear();
    this.#more.clear();
    this.#stop.abort();
    await Promise.allSettled(this.#running.values());
  }
}
