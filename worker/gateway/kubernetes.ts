/**
 * The door to a cluster: each request is read once, decided under the session's task, sent upstream as it was read,
 * and its answer shown as the task shows it (kubernetes-forward.ts). Streams (exec, attach, port-forward) are in
 * kubernetes-stream.ts.
 */
import { MAX_OBJECT } from "../../policies/kubernetes/answer.ts";
import { checkBody, MAX_BODY } from "../../policies/kubernetes/body.ts";
import { decideKube, isWriteVerb, type KubeRefusal, settle } from "../../policies/kubernetes/decide.ts";
import { answerReview } from "../../policies/kubernetes/review.ts";
import { concat } from "../../wire/bytes.ts";
import { type BodyType, bodyType } from "../../wire/kubernetes/headers.ts";
import {
  isUpgradeVerb,
  type KubeRequest,
  readKubeRequest,
  upstreamTarget,
} from "../../wire/kubernetes/request.ts";
import { heldText } from "./held-text.ts";
import { forwardKubernetes, recordStatement } from "./kubernetes-forward.ts";
import { json, refusal } from "./kubernetes-refusal.ts";
import { serveStream } from "./kubernetes-stream.ts";
import { ChannelError } from "./request-channel.ts";
import {
  exchange,
  faultOf,
  HOLD_PATIENCE,
  type RequestHost,
  type RequestLedger,
  readAnswer,
  readBody,
} from "./requests.ts";

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
    host.record({
      ...{ t: "statement", n, protocol: "kubernetes" },
      text: asked,
      body: null,
      decision,
      at: host.now(),
    });
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
    if (checked.effect === "deny") {
      ledger.denied += 1;
      const { reason, message, rule } = checked;
      const decision = { effect: "deny", reason, message, rule } as const;
      const statement = { t: "statement", n, protocol: "kubernetes", text: asked, body: null } as const;
      recordStatement(host, { ...statement, decision, at: started }, first, type, body);
      return refusal(checked.status, reason, message, rule, checked.hint);
    }
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
      host.record({
        t: "statement",
        n,
        protocol: "kubernetes",
        text,
        body: null,
        decision: waiting,
        at: started,
      });
    }
    // A stream waits with its socket open, where the client can be told; see kubernetes-stream.ts.
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
    const statement = {
      t: "statement",
      n,
      protocol: "kubernetes",
      text,
      body: null,
      decision,
      at: started,
    } as const;
    if (stream) return await serveStream(host, ledger, request, permit, statement, held);
    return await forwardKubernetes(host, ledger, request, permit, type, body, statement);
  } catch (error) {
    const fault = faultOf(error);
    host.record({
      t: "outcome",
      n,
      ok: false,
      status: 0,
      rows: 0,
      bytes: 0,
      masked: [],
      ms: host.now() - started,
      at: host.now(),
    });
    return refusal(fault.status, fault.code, fault.message, null, null);
  }
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
  host.record({ t: "statement", n, protocol: "kubernetes", text, body: null, decision, at: host.now() });
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

/** What an approval is bound to: method, target and body. */
async function digestOf(text: string, body: Uint8Array | null): Promise<string> {
  const head = new TextEncoder().encode(`${text}\n`);
  const bytes = concat([head, body ?? new Uint8Array(0)]);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
