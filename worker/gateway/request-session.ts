/**
 * One session of a cluster or HTTP resource: all requests of one grant, in one object. It owns the channels to the
 * connector, counts, holds for approval, and ends everything at the deadline or when it is killed. After the end the
 * next request begins another session, if the grant lets it. What extends this gives it its tasks, its way to dial
 * and its recording.
 */
import { DurableObject } from "cloudflare:workers";
import type { Task } from "../../policies/task.ts";
import type { Piece, Stars } from "../../wire/pieces.ts";
import { CONNECTOR_SUBPROTOCOL } from "../../wire/tunnel.ts";
import { AuditOutbox } from "../audit/outbox.ts";
import { recordSessionEnd, recordSessionStart } from "../audit/store.ts";
import type { HoldVerdict } from "../grants/object.ts";
import { type GrantsEnv, grantOwner, sessionEnded, sessionStarted } from "../grants/open.ts";
import { offeredProtocols } from "../headers.ts";
import { withBudget } from "../sessions/opening.ts";
import { upgraded } from "../sessions/sockets.ts";
import { hex } from "../sessions/ticket.ts";
import { problem, serveHttp } from "./http.ts";
import { serveKubernetes } from "./kubernetes.ts";
import { refusal } from "./kubernetes-refusal.ts";
import { ChannelError, NOTHING_WRITTEN, RequestChannel, type Written } from "./request-channel.ts";
import { RequestHolds } from "./request-holds.ts";
import {
  CONTEXT_HEADER,
  eventOfRequest,
  type Fault,
  factsOfRun,
  type RequestContext,
  type RequestRun,
  type RequestTotals,
  totalsOf,
} from "./request-run.ts";
import { type RequestEvent, type RequestHost, RequestLedger } from "./requests.ts";

/** Most channels at once; one for each watch, log and stream that is open. */
const MAX_CHANNELS = 32;
/** An idle channel is closed after this, milliseconds. */
const IDLE = 60_000;
/** How often a running session is looked at, milliseconds. */
const HEARTBEAT = 30_000;

interface Pending {
  resolve(channel: RequestChannel): void;
  reject(error: ChannelError): void;
}

export abstract class RequestSession<Env extends GrantsEnv> extends DurableObject<Env> {
  #run: RequestRun | null = null;
  #starting: Promise<Fault | null> | null = null;
  readonly #idle: RequestChannel[] = [];
  readonly #dialled = new Map<string, Pending>();
  readonly #holds = new RequestHolds();
  #channels = 0;
  #dials = 0;
  #outboxOnce: AuditOutbox | null = null;

  /** The task of that name as it is now, or null. */
  protected abstract taskOf(name: string): Task | null;
  /**
   * Asks the connector for one socket to `/connector/sessions/<channel>` with this ticket. Resolves when it was
   * asked; the socket arrives at `connected`.
   */
  protected abstract dial(
    channel: string,
    ticket: string,
    run: RequestRun,
  ): Promise<{ readonly ok: true } | ({ readonly ok: false } & Fault)>;
  /** How long a dial may take, milliseconds. */
  protected get dialMs(): number {
    return 15_000;
  }
  /** What else a session needs before its first request. A fault, and it does not begin. */
  protected async begin(_run: RequestRun): Promise<Fault | null> {
    return null;
  }
  /** Writes a fact to the session's recording. */
  protected write(_run: RequestRun, _event: RequestEvent): void {}
  /** Writes a piece of what passed to the session's recording. */
  protected keep(_run: RequestRun, _piece: Piece, _stars?: Stars): void {}
  /** Bytes that wait on their way to the recording. */
  protected get lag(): number {
    return 0;
  }
  /** What must be in the recording before the next request goes to the target. */
  protected get written(): Written {
    return NOTHING_WRITTEN;
  }
  /** Tells of the session's end. */
  protected async finish(run: RequestRun, { code, message }: Fault, totals: RequestTotals): Promise<void> {
    const { statements, rows, bytes } = totals;
    this.outbox.add({
      ...{ type: "session.end", severity: "info", ...factsOfRun(run), reason: code },
      data: { message, ...totals, roots: null, durationMs: Date.now() - run.started },
    });
    await Promise.allSettled([
      recordSessionEnd(this.env.DB, run.id, { ...totals, ended: Date.now(), end_code: code, roots: null }),
      sessionEnded(this.env, run.context.grant, run.id, { statements, rows, bytes }),
    ]);
  }

  /** A client's request (with the context header), or a connector's socket. */
  override async fetch(request: Request): Promise<Response> {
    const found = /^\/connector\/sessions\/([^/]+)$/.exec(new URL(request.url).pathname);
    if (found !== null) return this.#connected(found[1]!, request);
    const context = JSON.parse(request.headers.get(CONTEXT_HEADER) ?? "null") as RequestContext | null;
    if (context === null) return new Response("no context", { status: 500 });
    this.#starting ??= this.#start(context);
    const starting = this.#starting;
    const refused = await starting;
    if (refused !== null) {
      // Not remembered: a grant may have room again later.
      if (this.#starting === starting) this.#starting = null;
      const { code, message } = refused;
      return this.taskOf(context.task)?.resourceType === "http"
        ? problem(403, code, message, null, null)
        : refusal(403, code, message, null, null);
    }
    const run = this.#run!;
    run.active = Date.now();
    const headers = new Headers(request.headers);
    headers.delete(CONTEXT_HEADER);
    const inner = new Request(request, { headers });
    const serve = run.task.resourceType === "kubernetes" ? serveKubernetes : serveHttp;
    const { search } = new URL(request.url);
    return await serve(this.#host(run, context), run.ledger, inner, context.path, search);
  }

  /** Ends everything now: revocation, an administrator, a changed task. */
  async kill(code: string, message: string): Promise<void> {
    if (this.#run && !this.#run.over) {
      this.outbox.add({
        ...{ ...factsOfRun(this.#run), type: "session.killed", severity: "warn", reason: code },
        data: { message },
      });
    }
    await this.end(code, message);
  }

  /** People answered. */
  async resolveHold(id: string, verdict: HoldVerdict): Promise<void> {
    this.#holds.resolve(id, verdict);
  }

  /** The session as it stands; null when none runs here (never, or not since the object was reset). */
  async summary() {
    const run = this.#run;
    if (run === null) return null;
    const { id, started, deadline, over } = run;
    return { id, ...totalsOf(run), channels: this.#channels, started, deadline, ended: over?.code ?? null };
  }

  /** The session that runs, or ran last. */
  protected get run(): RequestRun | null {
    return this.#run;
  }

  /** Looks whether the session is due: its deadline, or nothing was asked for too long. */
  override async alarm(): Promise<void> {
    const run = this.#run;
    if (!run || run.over) return;
    const now = Date.now();
    if (run.ledger.open.size > 0) run.active = now;
    const idle = run.active + run.task.session.idleMs;
    if (now >= run.deadline) await this.end("SESSION_EXPIRED", "the session reached its end");
    else if (now >= idle) await this.end("SESSION_IDLE", "the session was idle for too long");
    else await this.ctx.storage.setAlarm(Math.min(run.deadline, idle, now + HEARTBEAT));
  }

  async #start(context: RequestContext): Promise<Fault | null> {
    const task = this.taskOf(context.task);
    if (task === null || task.digest !== context.taskDigest) {
      return { code: "TASK_CHANGED", message: "the task has changed since the grant was given" };
    }
    const now = Date.now();
    const id = `${context.session}-${now.toString(36)}`;
    const { grant, identity } = context;
    const started = await sessionStarted(this.env, grant, { sid: id, taskDigest: task.digest });
    if (!started.ok) return { code: started.code, message: started.message };
    const run: RequestRun = {
      ...{ id, context, task: withBudget(task, started.grant.budget), ledger: new RequestLedger() },
      approvals: started.grant.approvals,
      ...{
        started: now,
        deadline: Math.min(now + task.session.ttlMs, context.expires, started.grant.expires),
        over: null,
        active: now,
      },
    };
    const nothing = { statements: 0, rows: 0, bytes: 0 };
    const refused = async (fault: Fault): Promise<Fault> => {
      await sessionEnded(this.env, grant, id, nothing).catch(() => undefined);
      return fault;
    };
    this.outbox.add({
      ...{ ...factsOfRun(run), type: "session.start", severity: "info" },
      data: { params: { ...context.params }, statedReason: context.reason },
    });
    const { issuer, subject, name } = identity;
    const row = { id, grant, issuer, subject, name, task: task.name, resource: task.resource };
    try {
      await recordSessionStart(this.env.DB, { ...row, reason: context.reason, started: now });
    } catch {
      return refused({ code: "AUDIT_UNAVAILABLE", message: "the start of the session cannot be recorded" });
    }
    this.#run = run;
    this.#dials = 0;
    const fault = await this.begin(run);
    if (fault !== null) {
      await this.end(fault.code, fault.message);
      return fault;
    }
    if (run.over) return run.over;
    await this.ctx.storage.setAlarm(Math.min(run.deadline, now + run.task.session.idleMs, now + HEARTBEAT));
    return null;
  }

  #host(run: RequestRun, context: RequestContext): RequestHost {
    const { task } = run;
    return {
      task,
      identity: context.identity,
      caller: {
        user: `wicket:${context.identity.subject}`.slice(0, 256),
        groups: [`wicket:task:${task.name}`],
        extra: { "wicket-session": [run.id] },
      },
      now: () => Date.now(),
      permit: () => {
        if (run.over !== null) return run.over;
        if (Date.now() >= run.deadline)
          return { code: "SESSION_EXPIRED", message: "the session reached its end" };
        const current = this.taskOf(task.name);
        return current?.digest === task.digest
          ? null
          : { code: "TASK_CHANGED", message: "the task has changed" };
      },
      channel: () => this.#channel(run),
      record: (event) => {
        run.active = Date.now();
        this.write(run, event);
        const told = eventOfRequest(event, run);
        if (told) this.outbox.add(told);
      },
      keep: (piece, stars) => this.keep(run, piece, stars),
      lag: () => this.lag,
      hold: (what) =>
        this.#holds.ask(grantOwner(this.env, context.grant), context.grant, run.id, context.approvals, what),
    };
  }

  protected get outbox(): AuditOutbox {
    this.#outboxOnce ??= new AuditOutbox({
      ...{ db: this.env.DB, sql: this.ctx.storage.sql, now: Date.now, mode: "buffered" },
    });
    return this.#outboxOnce;
  }

  /** A connection of the connector that has no request: an idle one, or a new one. */
  async #channel(run: RequestRun): Promise<RequestChannel> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.dead && !idle.busy) return idle;
    }
    return await this.openChannel(run);
  }

  /** Has the connector open another connection; the first of a session has the number 0. */
  protected async openChannel(run: RequestRun): Promise<RequestChannel> {
    if (run.over !== null) throw new ChannelError(run.over.code, run.over.message);
    if (this.#channels + this.#dialled.size >= MAX_CHANNELS) {
      throw new ChannelError("LIMIT_STREAMS", `a session has at most ${MAX_CHANNELS} requests at once`);
    }
    const name = `${run.id}.${this.#dials++}`;
    const ticket = hex(crypto.getRandomValues(new Uint8Array(32)));
    const key = `${name} ${ticket}`;
    const arrived = new Promise<RequestChannel>((resolve, reject) =>
      this.#dialled.set(key, { resolve, reject }),
    );
    arrived.catch(() => {});
    const timer = setTimeout(
      () => this.#missed(key, "DIAL_TIMEOUT", "the connector did not answer in time"),
      this.dialMs,
    );
    try {
      const asked = await this.dial(name, ticket, run);
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

  #connected(name: string, request: Request): Response {
    const key = `${name} ${request.headers.get("wicket-ticket") ?? ""}`;
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
      () => this.written,
      // Not in every version of the runtime's types.
      () => (server as { bufferedAmount?: number }).bufferedAmount ?? 0,
    );
    const { run } = this;
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
      // A connection is for its session: what was still under way at the end is not kept for the next one.
      if (run?.over) {
        channel.abort(run.over.code, run.over.message);
        return;
      }
      this.#idle.push(channel);
      idle = setTimeout(() => {
        if (!channel.busy) channel.abort("IDLE", "nothing was asked for a while");
      }, IDLE);
    };
    pending.resolve(channel);
    return upgraded(
      pair[0],
      offeredProtocols(request).includes(CONNECTOR_SUBPROTOCOL) ? CONNECTOR_SUBPROTOCOL : null,
    );
  }

  /** Ends the session that runs; the next request begins another, if the grant lets it. */
  protected async end(code: string, message: string): Promise<void> {
    const run = this.#run;
    if (!run || run.over) return;
    run.over = { code, message };
    this.#starting = null;
    run.ledger.end(code, message);
    this.#holds.end({ effect: "deny", code, message });
    for (const channel of this.#idle.splice(0)) channel.abort(code, message);
    for (const key of [...this.#dialled.keys()]) this.#missed(key, code, message);
    await this.finish(run, run.over, totalsOf(run));
  }
}
