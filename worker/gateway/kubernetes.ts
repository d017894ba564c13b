/**
 * The door to a cluster: each request is read once, decided under the session's task, sent upstream as it was read,
 * and its answer shown as the task shows it. Streams (exec, attach, port-forward) are in kubernetes-streams.ts.
 */
import { AnswerFilter, hidesValues, MAX_OBJECT } from "../../policies/kubernetes/answer.ts";
import { scrubStatus } from "../../policies/kubernetes/answer-status.ts";
import { checkBody, MAX_BODY } from "../../policies/kubernetes/body.ts";
import {
  decideKube,
  isWriteVerb,
  type KubePermit,
  type KubeRefusal,
  settle,
} from "../../policies/kubernetes/decide.ts";
import { answerReview } from "../../policies/kubernetes/review.ts";
import { SecretMasker } from "../../wire/http/secrets.ts";
import { type BodyType, bodyType, responseHeaders, upstreamHeaders } from "../../wire/kubernetes/headers.ts";
import {
  isUpgradeVerb,
  type KubeRequest,
  readKubeRequest,
  upstreamTarget,
} from "../../wire/kubernetes/request.ts";
import { failure } from "../../wire/kubernetes/status.ts";
import { heldText } from "./held-text.ts";
import { serveStream } from "./kubernetes-streams.ts";
import { type ChannelAnswer, ChannelError, type RequestChannel } from "./request-channel.ts";
import {
  type Beat,
  exchange,
  faultOf,
  HOLD_PATIENCE,
  headerOf,
  passHeaders,
  type RequestHost,
  type RequestLedger,
  readAnswer,
  readBody,
  shownStream,
} from "./requests.ts";

/** A space between two events: readers of JSON pass over it, line by line or as a stream. */
const WATCH_BEAT: Beat = { bytes: new TextEncoder().encode(" "), afterMs: 5000 };
/** Largest error body that is read, bytes. */
const MAX_ERROR = 256 * 1024;

/** Serves one request. `pathname` is what stands behind the cluster's mount point. */
export async function serveKubernetes(
  host: RequestHost,
  ledger: RequestLedger,
  request: Request,
  pathname: string,
  search: string,
): Promise<Response> {
  const started = host.now();
  const over = host.permit() ?? ledger.exhausted(host.task);
  ledger.statements += 1;
  const n = ledger.statements;
  const asked = `${request.method} ${pathname}${search}`.slice(0, 2000);
  const refuse = (
    status: number,
    reason: string,
    message: string,
    rule: string | null,
    hint: string | null = null,
  ) => {
    ledger.denied += 1;
    const decision = { effect: "deny", reason, message, rule } as const;
    host.record({ t: "statement", n, protocol: "kubernetes", text: asked, decision, at: host.now() }, null);
    return refusal(status, reason, message, rule, hint);
  };
  const denied = (found: KubeRefusal) =>
    refuse(found.status, found.reason, found.message, found.rule, found.hint);
  if (over !== null) return refuse(403, over.code, over.message, null);

  const read = readKubeRequest(request.method, pathname, search);
  if (!read.ok) return refuse(read.refusal.status, read.refusal.code, read.refusal.message, null);
  const type = bodyType(request.headers.get("content-type"), request.method);
  if (type === null) {
    return refuse(
      415,
      "MEDIA_TYPE",
      "bodies are only read as JSON (or protobuf of simple kinds)",
      null,
      "send JSON",
    );
  }
  const first = decideKube(host.task, read.request);
  if (first.effect === "deny") return denied(first);
  // After the decision: kubectl falls back to SPDY when a WebSocket is refused, and shows the second answer.
  const upgrade = request.headers.get("upgrade");
  if (upgrade !== null && (upgrade.toLowerCase() !== "websocket" || !isUpgradeVerb(read.request.verb))) {
    const old = upgrade.toLowerCase().startsWith("spdy");
    const message = old
      ? "this needs kubectl 1.30 or newer for exec and 1.31 for port-forward: SPDY does not reach the edge"
      : "this request has no stream";
    return refuse(400, "UPGRADE_NOT_SERVED", message, first.rule);
  }
  if (upgrade === null && isUpgradeVerb(read.request.verb)) {
    return refuse(400, "UPGRADE_REQUIRED", "a WebSocket upgrade is required", first.rule);
  }
  if (read.request.verb === "proxy") {
    return refuse(403, "PROXY_NOT_SERVED", "proxying to pods, services and nodes is not served", first.rule);
  }

  let body: Uint8Array | null = null;
  let permit = first;
  if (isWriteVerb(read.request.verb)) {
    body = await readBody(request.body, MAX_BODY);
    if (body === null)
      return refuse(413, "BODY_TOO_LARGE", `the body is larger than ${MAX_BODY} bytes`, first.rule);
    if (first.effect === "answer") return review(host, read.request, body, type, n);
    const checked = checkBody(host.task, first, type, body);
    if (checked.effect === "deny") return denied(checked);
    if (checked.rule !== null && read.request.name === "") {
      permit = { ...first, effect: checked.effect, rule: checked.rule.at, rules: [checked.rule] };
    }
  }

  try {
    if (permit.needsLabels) {
      const settled = settle(host.task, permit, await labelsOf(host, read.request));
      if (settled.effect === "deny") return denied(settled);
      permit = settled;
    }
    const text = `${request.method} ${upstreamTarget(permit.request)}`;
    const stream = isUpgradeVerb(permit.request.verb);
    const held =
      permit.effect === "hold"
        ? {
            ...{ n, rule: permit.rule, digest: await digestOf(text, body) },
            text: heldText(text, body, permit.request.resource === "secrets"),
          }
        : null;
    if (held !== null && host.hold === undefined) {
      const message = `${permit.request.verb} of ${permit.request.resource} needs approval, which cannot be asked for here`;
      return refuse(403, "APPROVAL_REQUIRED", message, permit.rule);
    }
    if (held !== null) {
      const waiting = { effect: "hold", reason: "NEEDS_APPROVAL", message: "", rule: permit.rule } as const;
      host.record({ t: "statement", n, protocol: "kubernetes", text, decision: waiting, at: started }, null);
    }
    // A stream waits with its socket open, where the client can be told; see kubernetes-streams.ts.
    if (held !== null && !stream) {
      const verdict = await host.hold!({ ...held, patience: HOLD_PATIENCE });
      const late = host.permit();
      if (late !== null) return refuse(403, late.code, late.message, permit.rule);
      if (verdict.effect === "deny") return refuse(403, verdict.code, verdict.message, permit.rule);
      // kubectl waits and sends the request again by itself, with its body, up to ten times.
      if (verdict.effect === "wait") {
        const answer = refusal(429, "APPROVAL_PENDING", verdict.message, permit.rule, null);
        answer.headers.set("retry-after", "1");
        return answer;
      }
    }
    const decision = { effect: "allow", reason: permit.reason, message: "", rule: permit.rule } as const;
    const statement = { t: "statement", n, protocol: "kubernetes", text, decision, at: started } as const;
    if (stream) return await serveStream(host, ledger, request, permit, statement, held);
    return await forward(host, ledger, request, permit, type, body, statement);
  } catch (error) {
    const fault = faultOf(error);
    host.record(
      {
        t: "outcome",
        n,
        ok: false,
        status: 0,
        rows: 0,
        bytes: 0,
        masked: [],
        ms: host.now() - started,
        at: host.now(),
      },
      null,
    );
    return refusal(fault.status, fault.code, fault.message, null, null);
  }
}

async function forward(
  host: RequestHost,
  ledger: RequestLedger,
  request: Request,
  permit: KubePermit,
  type: BodyType,
  body: Uint8Array | null,
  statement: Parameters<RequestHost["record"]>[0] & { t: "statement" },
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
  host.record(statement, channel);
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
  let bytes = 0;
  const outcome = (ok: boolean) => {
    ledger.open.delete(cut);
    ledger.rows += filter.stats.objects;
    ledger.bytes += bytes;
    const { objects, masked } = filter.stats;
    const ms = host.now() - statement.at;
    const at = host.now();
    host.record(
      { t: "outcome", n: statement.n, ok, status, rows: objects, bytes, masked: [...masked], ms, at },
      null,
    );
  };
  let cut: (code: string, message: string) => void = () => {};
  const whole = (code: number, shown: Uint8Array, ok: boolean) => {
    bytes = shown.length;
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
    return whole(status, join(parts), true);
  }
  const show = shower(permit, filter, ledger, host, (size) => {
    bytes += size;
  });
  const shown = shownStream(answer, channel, show, outcome, verb === "watch" ? WATCH_BEAT : null);
  cut = shown.cut;
  ledger.open.add(cut);
  const out = passHeaders(answer, responseHeaders);
  if (verb === "logs") out.set("content-type", "text/plain");
  // Compression on the way would hold lines back until its block is full.
  if (verb === "logs" || verb === "watch") {
    out.set("content-encoding", "identity");
    out.set("cache-control", "no-store, no-transform");
  }
  return new Response(request.method === "HEAD" ? null : shown.stream, { status, headers: out });
}

/** How the chunks of a streamed answer are shown. */
function shower(
  permit: KubePermit,
  filter: AnswerFilter,
  ledger: RequestLedger,
  host: RequestHost,
  count: (bytes: number) => void,
): (chunk: Uint8Array | null) => readonly Uint8Array[] {
  const counted = (parts: readonly Uint8Array[]) => {
    for (const part of parts) count(part.length);
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

function review(
  host: RequestHost,
  request: KubeRequest,
  body: Uint8Array,
  type: BodyType,
  n: number,
): Response {
  const answer = answerReview(host.task, host.identity, request, body, type === "protobuf");
  const decision = { effect: "answer", reason: "SELF_REVIEW", message: "", rule: null } as const;
  const text = `${request.method} ${upstreamTarget(request)}`;
  host.record({ t: "statement", n, protocol: "kubernetes", text, decision, at: host.now() }, null);
  if (answer === null) return refusal(400, "BODY_NOT_READ", "the review cannot be read", null, null);
  return json(201, answer);
}

/** The labels of the object that a request names; null when there is none. */
async function labelsOf(host: RequestHost, request: KubeRequest): Promise<Record<string, string> | null> {
  const end = request.segments.indexOf(request.name, request.segments.indexOf(request.resource)) + 1;
  const target = upstreamTarget({ ...request, segments: request.segments.slice(0, end), query: [] });
  const channel = await host.channel();
  const headers: [string, string][] = [
    ["accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json"],
  ];
  const answer = await exchange(
    channel,
    { method: "GET", target, headers, upgrade: null, caller: host.caller },
    null,
  );
  const body = await readAnswer(answer, MAX_OBJECT);
  if (answer.head.status === 404) return null;
  if (answer.head.status !== 200 || body === null) {
    throw new ChannelError("LABELS_UNKNOWN", "the object's labels cannot be read");
  }
  try {
    const object = JSON.parse(new TextDecoder().decode(body)) as {
      metadata?: { labels?: Record<string, string> };
    };
    return object.metadata?.labels ?? {};
  } catch {
    throw new ChannelError("LABELS_UNKNOWN", "the object's labels cannot be read");
  }
}

/** Rows are decided by their object, so a Table must have it. */
function withObjects(request: KubeRequest): KubeRequest {
  const query = request.query.filter(([key, value]) => key !== "includeObject" || value !== "None");
  return query.length === request.query.length ? request : { ...request, query };
}

/** What an approval is bound to: method, target and body. */
async function digestOf(text: string, body: Uint8Array | null): Promise<string> {
  const head = new TextEncoder().encode(`${text}\n`);
  const bytes = join([head, body ?? new Uint8Array(0)]);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A refusal as kubectl prints it. */
export function refusal(
  status: number,
  reason: string,
  message: string,
  rule: string | null,
  hint: string | null,
): Response {
  const where = rule === null ? "" : ` [${rule}]`;
  const text = `${message}${hint === null ? "" : `; ${hint}`} (${reason})${where}`;
  return json(status, failure(status, text));
}

function json(status: number, value: unknown): Response {
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(JSON.stringify(value), { status, headers });
}

function lengthOf(body: Uint8Array | null): [string, string][] {
  return body === null ? [] : [["content-length", String(body.length)]];
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export type { ChannelAnswer, RequestChannel };
