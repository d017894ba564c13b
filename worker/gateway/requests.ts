/** What the gates for clusters and HTTP APIs share: their host, the events they record, bodies and streams. */

import type { Identity, Task } from "../../policies/task.ts";
import { concat } from "../../wire/bytes.ts";
import type { CastLine } from "../../wire/kubernetes/asciicast.ts";
import type { Piece, Stars } from "../../wire/pieces.ts";
import type { RequestHead } from "../../wire/requests.ts";
import { type ChannelAnswer, ChannelError, type RequestChannel } from "./request-channel.ts";

/** A fact for the recording; JSON. Times in milliseconds since the epoch. */
export type RequestEvent =
  | {
      readonly t: "statement";
      readonly n: number;
      readonly protocol: "kubernetes" | "http";
      /** `GET /api/v1/…`, as it goes upstream or as it was asked for when refused. */
      readonly text: string;
      /** The body that was sent; null when there is none, or when it was refused unread. */
      readonly body: SentBody | null;
      readonly decision: {
        readonly effect: "allow" | "deny" | "hold" | "answer";
        readonly reason: string;
        readonly message: string;
        readonly rule: string | null;
      };
      readonly at: number;
    }
  | {
      readonly t: "outcome";
      readonly n: number;
      readonly ok: boolean;
      /** HTTP status of the target, or 0. */
      readonly status: number;
      readonly rows: number;
      readonly bytes: number;
      readonly masked: readonly string[];
      readonly ms: number;
      readonly at: number;
    }
  /** The header of a terminal's recording, or its new size; what it said is in pieces. */
  | { readonly t: "cast"; readonly n: number; readonly line: CastLine }
  | { readonly t: "forward"; readonly n: number; readonly port: number; readonly at: number }
  | { readonly t: "alarm"; readonly code: string; readonly message: string; readonly at: number };

export type StatementEvent = Extract<RequestEvent, { readonly t: "statement" }>;

/** A request's body: its size in bytes, and why not all of it is kept. */
export interface SentBody {
  readonly bytes: number;
  readonly left: "cut" | "secret" | "binary" | null;
}

/** A request that waits for people. */
export interface HeldRequest {
  readonly n: number;
  /** As it is shown to those who decide, with its body (held-text.ts). */
  readonly text: string;
  readonly rule: string | null;
  /** SHA-256 hex over method, target and body: what an approval is bound to. */
  readonly digest: string;
  /** Longest wait, milliseconds; null = until the approval ends. */
  readonly patience: number | null;
  /** Told once, with what to show the person who waits. */
  waiting?(message: string): void;
}

/** `wait`: nobody has answered yet; the client may ask again, and is then waiting for the same approval. */
export type HoldAnswer =
  | { readonly effect: "allow" }
  | { readonly effect: "deny"; readonly code: string; readonly message: string }
  | { readonly effect: "wait"; readonly message: string };

/** How long a request without a stream is held before the client is told to ask again, milliseconds. */
export const HOLD_PATIENCE = 20_000;

/** What a gate is given by the session that it works for. */
export interface RequestHost {
  readonly task: Task;
  readonly identity: Identity;
  /** For impersonation at the target. */
  readonly caller: RequestHead["caller"];
  /** Milliseconds since the epoch. */
  now(): number;
  /** A channel that has no request: an idle one, or a new one that the connector opens. */
  channel(): Promise<RequestChannel>;
  /** Null while the grant holds; asked before each request and each message of a stream. */
  permit(): { readonly code: string; readonly message: string } | null;
  /** For the audit log and the recording: what is recorded before a request is there before it goes out. */
  record(event: RequestEvent): void;
  /** A piece of what passed, for the recording only. `stars`: of a process's output, where it was masked. */
  keep(piece: Piece, stars?: Stars): void;
  /** Bytes that wait on their way to the recording. */
  lag(): number;
  /** Asks people; without it whatever needs approval is refused. */
  hold?(what: HeldRequest): Promise<HoldAnswer>;
}

/** Counters of one session and what runs in it. */
export class RequestLedger {
  statements = 0;
  denied = 0;
  rows = 0;
  bytes = 0;
  /** Ends everything that runs, with a code and a sentence. */
  readonly open = new Set<(code: string, message: string) => void>();

  /** Null, or the limit of the task that is used up. */
  exhausted(task: Task): { readonly code: string; readonly message: string } | null {
    const { limits } = task;
    const over = (what: string, used: number, limit: number | null) =>
      limit !== null && used >= limit
        ? {
            code: `LIMIT_${what.toUpperCase()}`,
            message: `the task ${task.name} allows ${limit} ${what} a session`,
          }
        : null;
    return (
      over("statements", this.statements, limits.statements) ??
      over("rows", this.rows, limits.rows) ??
      over("bytes", this.bytes, limits.bytes)
    );
  }

  /** Cuts everything that runs: revocation, expiry, kill. */
  end(code: string, message: string): void {
    for (const cut of [...this.open]) cut(code, message);
    this.open.clear();
  }
}

/** Reads a whole body of at most `limit` bytes; null when it is longer. */
export async function readBody(
  stream: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Uint8Array | null> {
  if (stream === null) return new Uint8Array(0);
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(parts);
    size += value.length;
    if (size > limit) {
      await reader.cancel();
      return null;
    }
    parts.push(value);
  }
}

/** Reads a whole answer of at most `limit` bytes; null when it is longer. */
export async function readAnswer(answer: ChannelAnswer, limit: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const chunk = await answer.read();
    if (chunk === null) return concat(parts);
    size += chunk.length;
    if (size > limit) return null;
    parts.push(chunk);
  }
}

/** Sends a request with a whole body and waits for the head of its answer. */
export async function exchange(
  channel: RequestChannel,
  head: Omit<RequestHead, "t" | "n" | "after">,
  body: Uint8Array | null,
): Promise<ChannelAnswer> {
  const answer = channel.request(head);
  if (body !== null && body.length > 0) channel.write(body);
  channel.end();
  return await answer;
}

/** The value of a header of an answer, or null. */
export function headerOf(answer: ChannelAnswer, name: string): string | null {
  return answer.head.headers.find(([key]) => key === name)?.[1] ?? null;
}

/** Whether an answer is compressed: nothing here reads that. */
export function isEncoded(answer: ChannelAnswer): boolean {
  const encoding = headerOf(answer, "content-encoding")?.trim().toLowerCase();
  return encoding !== undefined && encoding !== "" && encoding !== "identity";
}

/** Headers of an answer that may pass, besides `cache-control: no-store`. */
export function passHeaders(answer: ChannelAnswer, names: readonly string[]): Headers {
  const headers = new Headers({ "cache-control": "no-store", "x-content-type-options": "nosniff" });
  for (const [name, value] of answer.head.headers) if (names.includes(name)) headers.append(name, value);
  return headers;
}

/** A code and a sentence for whatever went wrong below. */
export function faultOf(error: unknown): {
  readonly code: string;
  readonly message: string;
  readonly status: number;
} {
  if (!(error instanceof ChannelError)) throw error;
  const gone = ["CONNECTOR_OFFLINE", "CONNECTOR_LOST"].includes(error.code);
  return { code: error.code, message: error.message, status: gone ? 503 : 502 };
}
