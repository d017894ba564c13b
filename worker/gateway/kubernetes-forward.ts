/** An allowed request on its way to the API server and back: its answer is shown as the task shows it, and recorded. */
import { AnswerFilter, hidesValues, MAX_OBJECT } from "../../policies/kubernetes/answer.ts";
import { scrubStatus } from "../../policies/kubernetes/answer-status.ts";
import type { KubePermit } from "../../policies/kubernetes/decide.ts";
import { recordedBody } from "../../policies/kubernetes/recorded-body.ts";
import { concat } from "../../wire/bytes.ts";
import { SecretMasker } from "../../wire/http/secrets.ts";
import { type BodyType, responseHeaders, upstreamHeaders } from "../../wire/kubernetes/headers.ts";
import { type KubeRequest, upstreamTarget } from "../../wire/kubernetes/request.ts";
import { refusal } from "./kubernetes-refusal.ts";
import { AnswerKeeper, keepAsked } from "./request-bodies.ts";
import { ChannelError } from "./request-channel.ts";
import {
  exchange,
  headerOf,
  isEncoded,
  passHeaders,
  type RequestHost,
  type RequestLedger,
  readAnswer,
  type StatementEvent,
} from "./requests.ts";
import { type Beat, shownStream } from "./shown-stream.ts";

/** Largest error body that is read, bytes. */
const MAX_ERROR = 256 * 1024;

/** A space between two events: readers of JSON pass over it, line by line or as a stream. */
const WATCH_BEAT: Beat = { bytes: new TextEncoder().encode(" "), afterMs: 2000 };

/** Records a request with its body, as far as that is kept. */
export function recordStatement(
  host: RequestHost,
  statement: StatementEvent,
  permit: KubePermit,
  type: BodyType,
  body: Uint8Array | null,
): void {
  const size = body?.length ?? 0;
  const asked = size === 0 ? null : keepAsked(host, statement.n, size, recordedBody(permit, type, body!));
  host.record({ ...statement, body: asked?.body ?? null });
  asked?.keep();
}

/** Sends an allowed request to the API server, and shows its answer under the task. */
export async function forwardKubernetes(
  host: RequestHost,
  ledger: RequestLedger,
  request: Request,
  permit: KubePermit,
  type: BodyType,
  body: Uint8Array | null,
  statement: StatementEvent,
): Promise<Response> {
  const upstream = withObjects(permit.request);
  const headers = upstreamHeaders(
    upstream,
    request.headers,
    body === null || body.length === 0 ? "none" : type,
    false,
  );
  if (!headers.ok)
    return refusal(headers.refusal.status, headers.refusal.code, headers.refusal.message, null, null);
  const channel = await host.channel();
  recordStatement(host, statement, permit, type, body);
  const answer = await exchange(
    channel,
    {
      method: upstream.method,
      target: upstreamTarget(upstream),
      headers: [...headers.headers, ...lengthOf(body)] as [string, string][],
      upgrade: null,
      caller: host.caller,
    },
    body,
  );
  const { status } = answer.head;
  const filter = new AnswerFilter(permit);
  const kept = permit.reason === "DISCOVERY" ? null : new AnswerKeeper(host, statement.n, statement.at);
  let bytes = 0;
  const outcome = (ok: boolean) => {
    kept?.end();
    ledger.open.delete(cut);
    ledger.rows += filter.stats.objects;
    ledger.bytes += bytes;
    const { objects, masked } = filter.stats;
    const ms = host.now() - statement.at;
    const at = host.now();
    host.record({
      t: "outcome",
      n: statement.n,
      ok,
      status,
      rows: objects,
      bytes,
      masked: [...masked],
      ms,
      at,
    });
  };
  let cut: (code: string, message: string) => void = () => {};
  const whole = (code: number, shown: Uint8Array, ok: boolean) => {
    bytes = shown.length;
    kept?.take(shown);
    outcome(ok);
    const out = passHeaders(answer, responseHeaders);
    out.set("content-type", "application/json");
    return new Response(request.method === "HEAD" ? null : (shown as BodyInit), {
      status: code,
      headers: out,
    });
  };
  const withhold = (code: string, message: string) => {
    channel.abort(code, message);
    outcome(false);
    return refusal(code === "OBJECT_NOT_GRANTED" ? 403 : 502, code, message, permit.rule, null);
  };

  if (status === 304 && permit.reason === "DISCOVERY") {
    await readAnswer(answer, 0);
    outcome(true);
    return new Response(null, { status, headers: passHeaders(answer, responseHeaders) });
  }
  // K6: a redirect is followed by nobody. A 1xx cannot be the end of an answer.
  if (status < 200 || (status >= 300 && status < 400)) {
    return withhold("TARGET_REDIRECT", "the API server answered with a redirect, which is not followed");
  }
  if (isEncoded(answer)) {
    return withhold("ANSWER_ENCODED", "the API server compressed its answer, although nobody asked it to");
  }
  if (status >= 400) {
    const error = await readAnswer(answer, MAX_ERROR);
    if (error === null) return withhold("ANSWER_TOO_LARGE", "the API server's error is too large");
    return whole(status, scrubStatus(error, hidesValues(permit)), false);
  }
  const media = (headerOf(answer, "content-type") ?? "").split(";")[0]!.trim();
  const { verb } = permit.request;
  if (permit.reason !== "DISCOVERY" && verb !== "logs" && media !== "application/json") {
    return withhold("ANSWER_NOT_JSON", "the API server did not answer with JSON");
  }
  const streamed = verb === "list" || verb === "watch" || verb === "logs" || permit.reason === "DISCOVERY";
  if (!streamed) {
    const object = await readAnswer(answer, MAX_OBJECT);
    if (object === null) return withhold("OBJECT_TOO_LARGE", `the object is larger than ${MAX_OBJECT} bytes`);
    const parts: Uint8Array[] = [];
    for (const result of [filter.push(object), filter.end()]) {
      if (!result.ok) {
        const message =
          result.fault === "OBJECT_NOT_GRANTED"
            ? `the task ${host.task.name} does not allow ${verb} of this object`
            : "the API server's answer cannot be shown";
        return withhold(result.fault, message);
      }
      parts.push(...result.bytes);
    }
    return whole(status, concat(parts), true);
  }
  const show = shower(permit, filter, ledger, host, (part) => {
    bytes += part.length;
    kept?.take(part);
  });
  const out = passHeaders(answer, responseHeaders);
  if (verb === "logs") out.set("content-type", "text/plain");
  if (request.method === "HEAD") {
    const rest = await readAnswer(answer, 0);
    if (rest === null) return withhold("ANSWER_TOO_LARGE", "the API server answered HEAD with a body");
    outcome(true);
    return new Response(null, { status, headers: out });
  }
  const beat = verb === "watch" ? WATCH_BEAT : null;
  const shown = shownStream(answer, channel, { show, done: outcome, beat, signal: request.signal });
  cut = shown.cut;
  ledger.open.add(cut);
  // Compression on the way would hold lines back until its block is full.
  if (verb === "logs" || verb === "watch") {
    out.set("content-encoding", "identity");
    out.set("cache-control", "no-store, no-transform");
  }
  return new Response(shown.stream, { status, headers: out });
}

/** How the chunks of a streamed answer are shown. */
function shower(
  permit: KubePermit,
  filter: AnswerFilter,
  ledger: RequestLedger,
  host: RequestHost,
  passed: (part: Uint8Array) => void,
): (chunk: Uint8Array | null) => readonly Uint8Array[] {
  const counted = (parts: readonly Uint8Array[]) => {
    for (const part of parts) passed(part);
    const { rows } = host.task.limits;
    if (rows !== null && ledger.rows + filter.stats.objects > rows) {
      throw new ChannelError("LIMIT_ROWS", `the task ${host.task.name} allows ${rows} rows a session`);
    }
    return parts;
  };
  if (permit.reason === "DISCOVERY") return (chunk) => counted(chunk === null ? [] : [chunk]);
  if (permit.request.verb === "logs") {
    const masker = new SecretMasker();
    return (chunk) => {
      const part = chunk === null ? masker.flush() : masker.push(chunk);
      return counted(part.length === 0 ? [] : [part]);
    };
  }
  return (chunk) => {
    const result = chunk === null ? filter.end() : filter.push(chunk);
    if (!result.ok) throw new ChannelError(result.fault, "the API server's answer cannot be shown");
    return counted(result.bytes);
  };
}

/** Rows are decided by their object, so a Table must have it. */
function withObjects(request: KubeRequest): KubeRequest {
  const query = request.query.filter(([key, value]) => key !== "includeObject" || value !== "None");
  return query.length === request.query.length ? request : { ...request, query };
}

function lengthOf(body: Uint8Array | null): [string, string][] {
  return body === null ? [] : [["content-length", String(body.length)]];
}
