/**
 * One session of a cluster or HTTP resource: all requests of one grant, in one object. It owns the channels to the
 * connector, counts, holds for approval, and ends everything at the deadline or when it is killed. The shell gives
 * it its task and its way to dial (`RequestShell`).
 */
import { DurableObject } from "cloudflare:workers";
import type { Identity, Task } from "../../policies/task.ts";
import { actorFrom } from "../audit/events.ts";
import { AuditOutbox } from "../audit/outbox.ts";
import { recordSessionEnd, recordSessionStart } from "../audit/store.ts";
import type { GrantResult } from "../grants/grant.ts";
import type { HoldVerdict } from "../grants/object.ts";
import { type GrantsEnv, grantOwner, sessionEnded, sessionStarted } from "../grants/open.ts";
import { problem, serveHttp } from "./http.ts";
import { refusal, serveKubernetes } from "./kubernetes.ts";
import { ChannelError, RequestChannel } from "./request-channel.ts";
import {
  type HeldRequest,
  type HoldAnswer,
  type RequestEvent,
  type RequestHost,
  RequestLedger,
} from "./requests.ts";

/** What the Worker found out about a request, in the header `CONTEXT_HEADER`; never the client's own header. */
export interface RequestContext {
  /** Also the object's name. */
  readonly session: string;
  readonly grant: string;
  readonly identity: Identity;
  readonly task: string;
  readonly taskDigest: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  /** End of the session, milliseconds since the epoch. */
  readonly deadline: number;
  /** Path behind the mount point. */
  readonly path: string;
  /** Where a person approves: the request's id is added. */
  readonly approvals: string;
}

export const CONTEXT_HEADER = "wicket-context";

/** Most channels at once; one for each watch, log and stream that is open. */
const MAX_CHANNELS = 32;
/** How long a dial may take, milliseconds. */
const DIAL_PATIENCE = 15_000;
/** An idle channel is closed after this, milliseconds. */
const IDLE = 60_000;

interface Pending {
  resolve(channel: RequestChannel): void;
  reject(error: ChannelError): void;
}

export abstract class RequestSession<Env extends GrantsEnv> extends DurableObject<Env> {
  #context: RequestContext | null = null;
  #task: Task | null = null;
  #starting: Promise<{ code: string; message: string } | null> | null = null;
  #over: { readonly code: string; readonly message: string } | null = null;
  readonly #ledger = new RequestLedger();
  readonly #idle: RequestChannel[] = [];
  readonly #dialled = new Map<string, Pending>();
  readonly #holds = new Map<
    string,
    { readonly id: string; verdict: HoldVerdict | null; wake: (() => void)[] }
  >();
  #channels = 0;
  #dials = 0;
  #outbox: AuditOutbox | null = null;
  #started = 0;

  /** The task of that name as it is now, or null. */
  protected abstract taskOf(name: string): Task | null;
  /**
   * Asks the connector for one socket to `/connector/sessions/<channel>` with this ticket. Resolves when it was
   * asked; the socket arrives at `connected`.
   */
  protected abstract dial(
    channel: string,
    ticket: string,
    context: RequestContext,
    task: Task,
  ): Promise<{ readonly ok: true } | { readonly ok: false; readonly code: string; readonly message: string }>;

  /** A client's request (with the context header), or a connector's socket. */
  override async fetch(request: Request): Promise<Response> {
    const found = /^\/connector\/sessions\/([^/]+)$/.exec(new URL(request.url).pathname);
    if (found !== null) return this.#connected(found[1]!, request.headers.get("wicket-ticket") ?? "");
    const context = JSON.parse(request.headers.get(CONTEXT_HEADER) ?? "null") as RequestContext | null;
    if (context === null) return new Response("no context", { status: 500 });
    this.#starting ??= this.#start(context);
    const refused = await this.#starting;
    if (refused !== null) {
      // Not remembered: a grant may have room again later.
      this.#starting = null;
      const { code, message } = refused;
      return this.taskOf(context.task)?.resourceType === "http"
        ? problem(403, code, message, null, null)
        : refusal(403, code, message, null, null);
    }
    const task = this.#task!;
    const headers = new Headers(request.headers);
    headers.delete(CONTEXT_HEADER);
    const inner = new Request(request, { headers });
    const serve = task.resourceType === "kubernetes" ? serveKubernetes : serveHttp;
    return await serve(
      this.#host(context, task),
      this.#ledger,
      inner,
      context.path,
      new URL(request.url).search,
    );
  }

  /** Ends everything now: revocation, an administrator, a changed task. */
  async kill(code: string, message: string): Promise<void> {
    await this.#end(code, message);
  }

  /** People answered. */
  async resolveHold(id: string, verdict: HoldVerdict): Promise<void> {
    for (const hold of this.#holds.values()) {
      if (hold.id !== id) continue;
      hold.verdict = verdict;
      for (const wake of hold.wake.splice(0)) wake();
    }
  }

  /** Counts so far; null when no session runs here (never, or not since the object was reset). */
  async summary() {
    if (this.#context === null) return null;
    const { statements, denied, rows, bytes } = this.#ledger;
    const { started, ended } = { started: this.#started, ended: this.#over !== null };
    return { statements, denied, rows, bytes, channels: this.#channels, started, ended };
  }

  /** The deadline. */
  override async alarm(): Promise<void> {
    await this.#end("SESSION_EXPIRED", "the session reached its end");
  }

  async #start(context: RequestContext): Promise<{ code: string; message: string } | null> {
    const task = this.taskOf(context.task);
    if (task === null || task.digest !== context.taskDigest) {
      return { code: "TASK_CHANGED", message: "the task has changed since the grant was given" };
    }
    // The object may have been reset since it last started: then that session never said its end.
    await sessionEnded(this.env, context.grant, context.session, { statements: 0, rows: 0, bytes: 0 });
    const started = await sessionStarted(this.env, context.grant, {
      sid: context.session,
      taskDigest: task.digest,
    });
    if (!started.ok) return { code: started.code, message: started.message };
    const now = Date.now();
    const { identity } = context;
    const row = { issuer: identity.issuer, subject: identity.subject, name: identity.name };
    try {
      await recordSessionStart(this.env.DB, {
        id: context.session,
        grant: context.grant,
        ...row,
        task: task.name,
        resource: task.resource,
        reason: context.reason,
        started: now,
      });
    } catch {
      return { code: "AUDIT_UNAVAILABLE", message: "the start of the session cannot be recorded" };
    }
    this.#outbox = new AuditOutbox({
      db: this.env.DB,
      sql: this.ctx.storage.sql,
      now: Date.now,
      mode: "buffered",
    });
    this.#outbox.add({
      type: "session.start",
      severity: "info",
      ...this.#facts(context, task),
      data: { params: { ...context.params }, statedReason: context.reason },
    });
    this.#context = context;
    this.#task = task;
    this.#started = now;
    await this.ctx.storage.setAlarm(Math.min(context.deadline, started.grant.expires));
    return null;
  }

  #host(context: RequestContext, task: Task): RequestHost {
    return {
      task,
      identity: context.identity,
      caller: {
        user: `wicket:${context.identity.subject}`.slice(0, 256),
        groups: [`wicket:task:${task.name}`],
        extra: { "wicket-session": [context.session] },
      },
      now: () => Date.now(),
      permit: () => {
        if (this.#over !== null) return this.#over;
        if (Date.now() >= context.deadline)
          return { code: "SESSION_EXPIRED", message: "the session reached its end" };
        const current = this.taskOf(task.name);
        return current?.digest === task.digest
          ? null
          : { code: "TASK_CHANGED", message: "the task has changed" };
      },
      channel: () => this.#channel(context, task),
      record: (event, channel) => {
        channel?.record(event as unknown as Record<string, unknown>);
        this.#audit(event, context, task);
      },
      hold: (what) => this.#hold(what, context),
    };
  }

  #facts(context: RequestContext, task: Task) {
    return {
      actor: actorFrom(context.identity),
      session: context.session,
      grant: context.grant,
      task: task.name,
      taskDigest: task.digest,
      resource: task.resource,
    };
  }

  #audit(event: RequestEvent, context: RequestContext, task: Task): void {
    const facts = this.#facts(context, task);
    if (event.t === "statement") {
      const { effect, reason, rule } = event.decision;
      this.#outbox?.add({
        type: "statement.decided",
        severity: effect === "deny" ? "warn" : "info",
        ...facts,
        reason,
        ...(rule === null ? {} : { rule }),
        data: {
          n: event.n,
          effect: effect === "answer" ? "allow" : effect,
          fingerprint: null,
          relations: [],
          masked: [],
          text: task.recording.level === "full" ? event.text : null,
        },
      });
    } else if (event.t === "alarm") {
      this.#outbox?.add({
        type: "session.alarm",
        severity: "alarm",
        ...facts,
        reason: event.code,
        data: { message: event.message, detail: null },
      });
    }
  }

  async #channel(context: RequestContext, task: Task): Promise<RequestChannel> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.dead && !idle.busy) return idle;
    }
    if (this.#over !== null) throw new ChannelError(this.#over.code, this.#over.message);
    if (this.#channels + this.#dialled.size >= MAX_CHANNELS) {
      throw new ChannelError("LIMIT_STREAMS", `a session has at most ${MAX_CHANNELS} requests at once`);
    }
    const name = `${context.session}.${++this.#dials}`;
    const ticket = hex(crypto.getRandomValues(new Uint8Array(32)));
    const key = `${name} ${ticket}`;
    const arrived = new Promise<RequestChannel>((resolve, reject) =>
      this.#dialled.set(key, { resolve, reject }),
    );
    arrived.catch(() => {});
    const timer = setTimeout(
      () => this.#missed(key, "DIAL_TIMEOUT", "the connector did not answer in time"),
      DIAL_PATIENCE,
    );
    try {
      const asked = await this.dial(name, ticket, context, task);
      if (!asked.ok) this.#missed(key, asked.code, asked.message);
      return await arrived;
    } finally {
      clearTimeout(timer);
    }
  }

  #missed(key: string, code: string, message: string): void {
    this.#dialled.get(key)?.reject(new ChannelError(code, message));
    this.#dialled.delete(key);
  }

  /** The connector could not open the target for a channel. */
  async dialFailed(channel: string, code: string, message: string): Promise<void> {
    for (const key of this.#dialled.keys())
      if (key.startsWith(`${channel} `)) this.#missed(key, code, message);
  }

  #connected(name: string, ticket: string): Response {
    const key = `${name} ${ticket}`;
    const pending = this.#dialled.get(key);
    // C5: a ticket is used once.
    if (pending === undefined) return new Response("no such dial", { status: 403 });
    this.#dialled.delete(key);
    const pair = new WebSocketPair();
    const server = pair[1];
    server.binaryType = "arraybuffer";
    server.accept();
    this.#channels += 1;
    const channel = new RequestChannel(
      (message) => server.send(message),
      (code, reason) => server.close(code, reason.slice(0, 100)),
    );
    let idle: ReturnType<typeof setTimeout> | null = null;
    server.addEventListener("message", ({ data }) => channel.message(data as ArrayBuffer | string));
    const gone = () => {
      if (!channel.dead) channel.closed();
    };
    server.addEventListener("close", gone);
    server.addEventListener("error", gone);
    let counted = true;
    channel.onIdle = () => {
      if (idle !== null) clearTimeout(idle);
      if (channel.dead) {
        if (counted) this.#channels -= 1;
        counted = false;
        return;
      }
      this.#idle.push(channel);
      idle = setTimeout(() => {
        if (!channel.busy) channel.abort("IDLE", "nothing was asked for a while");
      }, IDLE);
    };
    pending.resolve(channel);
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  /** Waits for people; the same request asked again waits for the same approval. */
  async #hold(what: HeldRequest, context: RequestContext): Promise<HoldAnswer> {
    const owner = grantOwner(this.env, context.grant);
    if (owner === null) return { effect: "deny", code: "GRANT_UNKNOWN", message: "there is no such grant" };
    let hold = this.#holds.get(what.digest);
    if (hold === undefined) {
      const statement = {
        session: context.session,
        digest: what.digest,
        text: what.text,
        rewritten: null,
        params: null,
        relations: [],
        masked: [],
        rule: what.rule,
        touches: [],
        plan: null,
        estimatedRows: null,
        noPlan: "a request has none",
      };
      const asked = (await owner.hold(context.grant, statement)) as GrantResult;
      if (!asked.ok) return { effect: "deny", code: asked.code, message: asked.message };
      hold = { id: asked.grant.id, verdict: null, wake: [] };
      this.#holds.set(what.digest, hold);
    }
    const message = `waiting for approval: ${context.approvals}${hold.id}`;
    what.waiting?.(message);
    if (hold.verdict === null) {
      const { wake } = hold;
      await new Promise<void>((resolve) => {
        wake.push(resolve);
        if (what.patience !== null) setTimeout(resolve, what.patience);
      });
    }
    if (hold.verdict === null) return { effect: "wait", message };
    this.#holds.delete(what.digest);
    if (hold.verdict.effect === "deny") {
      return { effect: "deny", code: hold.verdict.code, message: hold.verdict.message };
    }
    // A4: an approval is spent before what it allows, and once.
    const used = (await owner.useHold(hold.id, what.digest)) as GrantResult;
    return used.ok ? { effect: "allow" } : { effect: "deny", code: used.code, message: used.message };
  }

  async #end(code: string, message: string): Promise<void> {
    if (this.#over !== null) return;
    this.#over = { code, message };
    this.#ledger.end(code, message);
    for (const hold of this.#holds.values()) {
      hold.verdict = { effect: "deny", code, message };
      for (const wake of hold.wake.splice(0)) wake();
    }
    for (const channel of this.#idle.splice(0)) channel.abort(code, message);
    for (const key of [...this.#dialled.keys()]) this.#missed(key, code, message);
    const context = this.#context;
    const task = this.#task;
    if (context === null || task === null) return;
    const { statements, denied, rows, bytes } = this.#ledger;
    const totals = { statements, denied, rows, bytes };
    this.#outbox?.add({
      type: "session.end",
      severity: "info",
      ...this.#facts(context, task),
      reason: code,
      data: { message, ...totals, roots: null, durationMs: Date.now() - this.#started },
    });
    await Promise.allSettled([
      recordSessionEnd(this.env.DB, context.session, {
        ...totals,
        ended: Date.now(),
        end_code: code,
        roots: null,
      }),
      sessionEnded(this.env, context.grant, context.session, { statements, rows, bytes }),
    ]);
  }
}

/** Name of the session of a grant at a time: a new one begins when the task's time for a session is over. */
export function requestSessionOf(
  grant: string,
  expires: number,
  ttlMs: number,
  now: number,
): { readonly id: string; readonly deadline: number } {
  const later = Math.max(0, Math.floor((expires - now) / ttlMs));
  return { id: `rq-${grant}-${later}`, deadline: expires - later * ttlMs };
}

/** The session that a channel's name belongs to; null for sessions of other kinds. */
export function sessionOfChannel(channel: string): string | null {
  const found = /^(rq-.+)\.\d+$/.exec(channel);
  return found === null ? null : found[1]!;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
