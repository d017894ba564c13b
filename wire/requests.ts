/**
 * HTTP over a session socket between edge and connector: one request at a time, the next one after both sides said
 * `eof`. Text messages are control, binary messages are body bytes, paid for with credit (window.ts). After a
 * response with `upgraded` the bytes are those of the stream until either side says `eof` or `reset`; for the
 * channel protocols one binary message is one frame, otherwise cuts mean nothing.
 *
 * The first connection of a session is its recording's, and has no requests: `record` messages (tunnel.ts) and pieces
 * (pieces.ts), which cost no credit.
 */
import * as v from "valibot";
import { type ParsedControl, parseControl } from "./tunnel.ts";

const header = v.tuple([
  v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,64}$/)),
  v.pipe(v.string(), v.maxLength(16_384), v.regex(/^[\t\x20-\x7e]*$/)),
]);
const headers = v.pipe(v.array(header), v.maxLength(128));
const number = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

/** The next request of the socket. */
const request = v.object({
  t: v.literal("request"),
  /** Counts from 1 on a socket. */
  n: number,
  method: v.pipe(v.string(), v.regex(/^[A-Z]{1,16}$/)),
  /** Path and query, built by the gate; the connector adds them to its own base URL. */
  target: v.pipe(v.string(), v.maxLength(32_768), v.regex(/^\/[\x21-\x7e]*$/)),
  headers,
  /** What stream the target should upgrade to; null = plain. */
  upgrade: v.nullable(v.picklist(["channels", "portforward"])),
  /** For impersonation and the target's own log: who asks under which task. */
  caller: v.object({
    user: v.pipe(v.string(), v.maxLength(256)),
    groups: v.pipe(v.array(v.pipe(v.string(), v.maxLength(256))), v.maxLength(64)),
    extra: v.record(v.pipe(v.string(), v.maxLength(64)), v.array(v.pipe(v.string(), v.maxLength(512)))),
  }),
  /** So many facts of the session must be in its recording before this is sent to the target. */
  after: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0)), 0),
  /** What the stream brings of a process's output is kept at the connector under this number, for the recording. */
  keep: v.optional(number),
});
const credit = v.object({ t: v.literal("credit"), bytes: number });
const eof = v.object({ t: v.literal("eof") });
const reset = v.object({
  t: v.literal("reset"),
  code: v.pipe(v.string(), v.regex(/^[A-Z][A-Z0-9_]{0,63}$/)),
  message: v.pipe(v.string(), v.maxLength(4096)),
});
/** The head of the answer. `upgraded`: the stream's subprotocol, only after the target's own 101. */
const response = v.object({
  t: v.literal("response"),
  n: number,
  status: v.pipe(v.number(), v.integer(), v.minValue(101), v.maxValue(599)),
  headers,
  upgraded: v.nullable(v.pipe(v.string(), v.maxLength(64))),
});

const toConnector = v.variant("t", [request, credit, eof, reset]);
const toEdge = v.variant("t", [response, credit, eof, reset]);

export type RequestHead = v.InferOutput<typeof request>;
export type ResponseHead = v.InferOutput<typeof response>;
export type RequestToConnector = v.InferOutput<typeof toConnector>;
export type RequestToEdge = v.InferOutput<typeof toEdge>;

/** Control messages that a connector takes on a session socket of a cluster or HTTP resource. */
export function parseRequestToConnector(text: string): ParsedControl<RequestToConnector> {
  return parseControl(toConnector, text);
}

/** Control messages that the edge takes on such a socket. */
export function parseRequestToEdge(text: string): ParsedControl<RequestToEdge> {
  return parseControl(toEdge, text);
}
