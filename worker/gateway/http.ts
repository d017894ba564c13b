/**
 * The door to a plain HTTP API: decided on method, path and query keys, sent upstream as it was read with headers by
 * allow-list, answered with the rule's field masks. The connector adds its own credential.
 */
import { HttpAnswerFilter, isJson, masksOf, recordedHttpBody } from "../../policies/http/answer.ts";
import { decideHttp, type HttpPermit } from "../../policies/http/decide.ts";
import {
  answerHeaderNames,
  bodyTypeFault,
  pickHeaders,
  requestHeaderNames,
} from "../../wire/http/headers.ts";
import { heldText } from "./held-text.ts";
import { httpHint } from "./http-hints.ts";
import { AnswerKeeper, isTextType, keepAsked } from "./request-bodies.ts";
import { ChannelError } from "./request-channel.ts";
import {
  exchange,
  faultOf,
  HOLD_PATIENCE,
  headerOf,
  isEncoded,
  passHeaders,
  type RequestHost,
  type RequestLedger,
  readAnswer,
  readBody,
} from "./requests.ts";
import { shownStream } from "./shown-stream.ts";

/** Largest request body, bytes. */
const MAX_BODY = 8 * 1024 * 1024;

/** Serves one request. `pathname` is what stands behind the resource's mount point. */
export async function serveHttp(
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
  const refuse = (
    status: number,
    reason: string,
    message: string,
    rule: string | null,
    hint: string | null = null,
  ) => {
    ledger.denied += 1;
    const text = `${request.method} ${pathname}${search}`.slice(0, 2000);
    const decision = { effect: "deny", reason, message, rule } as const;
    host.record({ t: "statement", n, protocol: "http", text, body: null, decision, at: host.now() });
    return problem(status, reason, message, hint, rule);
  };
  if (over !== null) return refuse(403, over.code, over.message, null);
  if (request.headers.get("upgrade") !== null) {
    return refuse(400, "UPGRADE_NOT_SERVED", "protocol upgrades are not served", null);
  }
  const permit = decideHttp(host.task, request.method, pathname, search);
  if (permit.effect === "deny") {
    return refuse(permit.status, permit.reason, permit.message, permit.rule, permit.hint);
  }
  const { at } = permit.rule;
  const reads = request.method === "GET" || request.method === "HEAD";
  if (!reads) {
    const fault = bodyTypeFault(request.headers.get("content-type"));
    if (fault !== null) return refuse(415, "MEDIA_TYPE", fault, at);
  }
  // H6: a GET with a body is read by some servers as something else.
  const body = await readBody(request.body, reads ? 0 : MAX_BODY);
  if (body === null)
    return refuse(reads ? 400 : 413, "BODY_TOO_LARGE", "the body is larger than what is served here", at);
  try {
    if (permit.effect === "hold") {
      const text = `${request.method} ${permit.target}`;
      if (host.hold === undefined) {
        return refuse(
          403,
          "APPROVAL_REQUIRED",
          "this request needs approval, which cannot be asked for here",
          at,
        );
      }
      const waiting = { effect: "hold", reason: "NEEDS_APPROVAL", message: "", rule: at } as const;
      host.record({ t: "statement", n, protocol: "http", text, body: null, decision: waiting, at: started });
      const patience = HOLD_PATIENCE;
      const verdict = await host.hold({
        ...{ n, text: heldText(text, body, false), rule: at },
        ...{ digest: await digest(permit, body), patience },
      });
      const late = host.permit();
      if (late !== null) return refuse(403, late.code, late.message, at);
      if (verdict.effect === "deny") return refuse(403, verdict.code, verdict.message, at);
      if (verdict.effect === "wait") {
        const answer = problem(429, "APPROVAL_PENDING", verdict.message, "send the request again", at);
        answer.headers.set("retry-after", "1");
        return answer;
      }
    }
    return await forward(host, ledger, request, permit, body, n, started);
  } catch (error) {
    const fault = faultOf(error);
    const now = host.now();
    host.record({
      t: "outcome",
      n,
      ok: false,
      status: 0,
      rows: 0,
      bytes: 0,
      masked: [],
      ms: now - started,
      at: now,
    });
    return problem(fault.status, fault.code, fault.message, null, null);
  }
}

async function forward(
  host: RequestHost,
  ledger: RequestLedger,
  request: Request,
  permit: HttpPermit,
  body: Uint8Array,
  n: number,
  started: number,
): Promise<Response> {
  const { rule } = permit;
  const tree = masksOf(rule);
  const headers = pickHeaders(request.headers, requestHeaderNames).filter(
    // A part of a document cannot be masked, and a tag would tell when a masked value changed.
    ([name]) => tree === null || !["range", "if-none-match", "if-modified-since", "accept"].includes(name),
  );
  if (tree !== null) headers.push(["accept", "application/json"]);
  // What is compressed cannot be masked, and is not kept in a recording that anybody can read.
  headers.push(["accept-encoding", "identity"]);
  if (body.length > 0) headers.push(["content-length", String(body.length)]);
  const channel = await host.channel();
  const text = `${permit.method} ${permit.target}`;
  const decision = { effect: "allow", reason: permit.reason, message: "", rule: rule.at } as const;
  const asked = keepAsked(
    host,
    n,
    body.length,
    recordedHttpBody(rule, request.headers.get("content-type"), body),
  );
  const sent = asked?.body ?? null;
  host.record({ t: "statement", n, protocol: "http", text, body: sent, decision, at: started });
  asked?.keep();
  const head = { method: permit.method, target: permit.target, headers, upgrade: null, caller: host.caller };
  const answer = await exchange(channel, head, body);
  const { status } = answer.head;
  const filter = tree === null ? null : new HttpAnswerFilter(tree);
  const kept = isTextType(headerOf(answer, "content-type")) ? new AnswerKeeper(host, n, started) : null;
  let bytes = 0;
  const outcome = (ok: boolean) => {
    kept?.end();
    ledger.open.delete(cut);
    ledger.bytes += bytes;
    const now = host.now();
    const masked = [...(filter?.masked ?? [])];
    host.record({ t: "outcome", n, ok, status, rows: 0, bytes, masked, ms: now - started, at: now });
  };
  let cut: (code: string, message: string) => void = () => {};
  const withhold = (code: string, message: string) => {
    channel.abort(code, message);
    outcome(false);
    return problem(502, code, message, null, rule.at);
  };
  const out = passHeaders(answer, answerHeaderNames);
  if (status < 200 || (status >= 300 && status < 400 && status !== 304)) {
    return withhold("TARGET_REDIRECT", "the target answered with a redirect, which is not followed");
  }
  if (isEncoded(answer)) {
    return withhold("ANSWER_ENCODED", "the target compressed its answer, although it was asked not to");
  }
  const empty = status === 204 || status === 304 || permit.method === "HEAD";
  if (!empty && filter !== null && !isJson(headerOf(answer, "content-type"))) {
    return withhold("ANSWER_NOT_JSON", "the target did not answer with JSON, and the rule masks fields");
  }
  if (filter !== null) out.delete("etag");
  const limit = host.task.limits.bytes;
  if (empty) {
    // A target that says more than the status allows is not believed.
    if ((await readAnswer(answer, 0)) === null)
      return withhold("ANSWER_TOO_LARGE", "the answer may have no body");
    outcome(true);
    return new Response(null, { status, headers: out });
  }
  const show = (chunk: Uint8Array | null): readonly Uint8Array[] => {
    let parts: readonly Uint8Array[] = chunk === null ? [] : [chunk];
    if (filter !== null) {
      const result = chunk === null ? filter.end() : filter.push(chunk);
      if (!result.ok) throw new ChannelError(result.fault, "the target's answer cannot be shown");
      parts = result.bytes;
    }
    for (const part of parts) {
      bytes += part.length;
      kept?.take(part);
    }
    if (limit !== null && ledger.bytes + bytes > limit) {
      throw new ChannelError("LIMIT_BYTES", `the task ${host.task.name} allows ${limit} bytes a session`);
    }
    return parts;
  };
  const shown = shownStream(answer, channel, { show, done: outcome, signal: request.signal });
  cut = shown.cut;
  ledger.open.add(cut);
  return new Response(shown.stream, { status, headers: out });
}

async function digest(permit: HttpPermit, body: Uint8Array): Promise<string> {
  const head = new TextEncoder().encode(`${permit.method} ${permit.target}\n`);
  const bytes = new Uint8Array(head.length + body.length);
  bytes.set(head);
  bytes.set(body, head.length);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A refusal as problem+json (RFC 9457). */
export function problem(
  status: number,
  code: string,
  message: string,
  hint: string | null,
  rule: string | null,
): Response {
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
  const next = hint ?? httpHint(code);
  return new Response(JSON.stringify({ status, code, message, hint: next, rule }), { status, headers });
}
