/**
 * One session: where its client and its connector meet. The object gives the relay its time, its limits and its
 * end: it counts the session in at the grant, writes its start down before the target is opened, has the
 * connector dial back, and closes everything once, whoever ends it and whatever fails meanwhile.
 *
 * The sockets are not hibernating ones: the gate's state lives in memory, and a session is short. What is needed
 * to close a session whose object was reset is in storage; an alarm comes back for it.
 */
import { DurableObject } from "cloudflare:workers";
import { createDecider } from "../../policies/postgres/decide.ts";
import type { Task } from "../../policies/task.ts";
import { RecordingRoots, type SegmentHeader } from "../../wire/recording.ts";
import { CLIENT_SUBPROTOCOL, CONNECTOR_SUBPROTOCOL } from "../../wire/tunnel.ts";
import type { EventFacts } from "../audit/events.ts";
import { AuditOutbox } from "../audit/outbox.ts";
import { recordSessionProgress } from "../audit/store.ts";
import { findTask } from "../bundle.ts";
import { type Bindings, bindingsFrom } from "../env.ts";
import type { HoldVerdict, StartResult } from "../grants/object.ts";
import { grantOwner, sessionStarted } from "../grants/open.ts";
import { CONNECTOR_HEADER, offeredProtocols, TICKET_HEADER } from "../headers.ts";
import { problem } from "../identity/http.ts";
import { logProgress } from "../log/session.ts";
import { SessionAudit } from "./audit.ts";
import type { SegmentVerdict } from "./chain.ts";
import { dueOf, EXPIRED } from "./due.ts";
import { SessionEnding, type StoredSoFar } from "./ending.ts";
import { Holds } from "./holds.ts";
import { dialFor, factsOf, type Opened, refused, type SessionAsk, SQLSTATES, withBudget } from "./opening.ts";
import { parser } from "./parser.ts";
import { PostgresRelay, type RelayEnd } from "./relay.ts";
import { acceptPair, CLOSE_ENDED, CLOSE_NORMAL, closeSocket, pause, upgraded } from "./sockets.ts";
import { watchSpending } from "./spending.ts";
import { writeStart } from "./starting.ts";
import { rootsOf, SessionStore, type SessionSummary, type StoredSession } from "./stored.ts";
import { hex, Ticket, unhex } from "./ticket.ts";

/** How often a running session shows its counters, and how late a reset is noticed at most. */
const HEARTBEAT_MS = 30_000;
/** A peer that has not taken the end after this time is cut off with the object. */
const LINGER_MS = 5_000;
/** What follows a kill leaves the kills of the other sessions this time, and is spread over that: for each of them. */
const AFTER_KILL_MS = 2;
const AFTER_KILL_SPREAD_MS = 8;
/** How long a kill waits for the connector to say that it has left the target. */
const CONFIRM_MS = 2_000;
/** Largest message of a client that is held in memory: with it a record always fits into a segment. */
const MAX_MESSAGE = 768 * 1024;

export class SessionObject extends DurableObject<Bindings> {
  readonly #env: Bindings;
  readonly #store: SessionStore;
  readonly #ending: SessionEnding;
  #relay: PostgresRelay | null = null;
  #task: Task | null = null;
  #holds: Holds | null = null;
  #ticket: Ticket | null = null;
  #client: WebSocket | null = null;
  #connector: WebSocket | null = null;
  /** Settles when the connector closed its socket: it has taken what came before, and has left the target. */
  #connectorLeft: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stopSpending: (() => void) | null = null;
  #outboxOnce: AuditOutbox | null = null;
  /** How many sessions were killed together with this one, itself included; 0 = it was not killed. */
  #killedTogether = 0;
  /** Messages that the log's last word covers. */
  #logged = 0;
  /** A kill that came before there was anything to kill. */
  #killed: { code: string; message: string } | null = null;
  #facts: EventFacts = {};

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    this.#env = bindingsFrom(env);
    this.#store = new SessionStore(ctx.storage);
    this.#ending = new SessionEnding({
      ...{ env: this.#env, ctx, store: this.#store, outbox: () => this.#outbox },
      wake: (at) => ctx.storage.setAlarm(at),
      forget: async () => {
        await ctx.storage.deleteAlarm();
        await ctx.storage.deleteAll();
      },
    });
  }

  // --- opening ------------------------------------------------------------------------------------------

  /** Opens the session; after `ok` the client's socket may be handed in. Everything else is a refusal. */
  async open(ask: SessionAsk): Promise<Opened> {
    if (this.#relay || this.#store.get())
      return refused(409, "SESSION_EXISTS", "this session has begun already");
    const task = findTask(ask.task);
    if (!task || task.digest !== ask.taskDigest) {
      return refused(409, "TASK_CHANGED", "the task has just changed; try again");
    }
    const started = await sessionStarted(this.#env, ask.grant, { sid: ask.sid, taskDigest: task.digest });
    if (!started.ok) return started;
    const stored = this.#begin(ask, task, started.grant);
    const relay = this.#relay!;
    if (this.#killed) relay.finish(this.#killed.code, this.#killed.message);
    try {
      const host = { env: this.#env, outbox: this.#outbox, facts: this.#facts, store: this.#store };
      if (!(await writeStart(host, stored, ask, started.grant.approvals)))
        relay.finish("CONNECTOR_OFFLINE", "the connector is not enrolled");
    } catch {
      relay.finish("STATE_UNAVAILABLE", "the start of the session could not be written down");
    }
    if (!relay.end) await this.#dial(stored, ask, task);
    if (relay.end) {
      const { code, message } = relay.end;
      return refused(code.startsWith("GRANT_") ? 403 : 503, code, message);
    }
    this.#schedule();
    return { ok: true };
  }

  #begin(ask: SessionAsk, task: Task, grant: Extract<StartResult, { ok: true }>["grant"]): StoredSession {
    const now = Date.now();
    const { sid, actor, connector } = ask;
    const stored = this.#store.put({
      ...{ sid, grant: grant.id, actor, task: task.name, taskDigest: task.digest, resource: task.resource },
      ...{
        connector,
        connectorKey: "",
        started: now,
        deadline: grant.expires,
        ended: null,
        settled: false,
        recorded: null,
        ...(task.recording.sealed ? { sealed: true } : {}),
        recording: task.recording,
      },
    });
    this.#task = withBudget(task, grant.budget);
    this.#facts = factsOf(stored, ask.client);
    this.#ticket = new Ticket(connector, now + this.#env.DIAL_MS);
    this.#relay = this.#createRelay(stored, this.#task);
    this.#holds = new Holds({
      ...{ env: this.#env, session: sid, grant: grant.id, task, gate: this.#relay.gate },
      explain: (id, text, params) => this.#relay?.explain(id, text, params) ?? false,
      tell: (message) => this.#relay?.tell(JSON.stringify(message)),
      flush: () => this.#relay?.flush(),
    });
    if (Object.values(grant.budget).some((left) => left !== null)) {
      this.#stopSpending = watchSpending({
        ...{ env: this.#env, grant: grant.id, session: sid, stats: this.#relay.gate.stats },
        over: () => this.#relay?.finish("GRANT_USED", "the budget of the grant is used up", "54000"),
      });
    }
    void this.ctx.storage.setAlarm(now + HEARTBEAT_MS);
    return stored;
  }

  #createRelay(stored: StoredSession, task: Task): PostgresRelay {
    const random = crypto.getRandomValues(new Uint8Array(36));
    const processId = new DataView(random.buffer).getUint32(32) & 0x7fffffff || 1;
    const audit = new SessionAudit(() => this.#outbox, task, this.#facts);
    return new PostgresRelay({
      session: stored.sid,
      task,
      cancelKey: { processId, secretKey: random.slice(0, 32) },
      deadline: stored.deadline,
      maxMessage: MAX_MESSAGE,
      clock: () => Date.now(),
      permit: () => (Date.now() < stored.deadline ? null : EXPIRED),
      decider: (catalog) => createDecider({ task, catalog, parser }),
      event: (fact) => audit.add(fact),
      opened: () => this.#schedule(),
      ended: (end) => this.#ended(end),
      hold: (hold) => void this.#holds?.ask(hold),
      plan: (id, plan, message) => this.#holds?.planned(id, plan, message),
      cancel: (processId, secretKey) => this.ctx.waitUntil(this.#cancelSibling(stored, processId, secretKey)),
    });
  }

  async #dial(stored: StoredSession, ask: SessionAsk, task: Task): Promise<void> {
    const dial = dialFor(stored, task, this.#ticket!.value, ask.params);
    const dialled = await this.#env.CONNECTORS.getByName(stored.connector).dial(dial);
    if (!dialled.ok) this.#relay!.finish(dialled.code, dialled.message);
  }

  // --- the two sides ------------------------------------------------------------------------------------

  /** `/client` and `/connector`, as `headers.ts` builds them: nothing else reaches an object. */
  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const relay = this.#relay;
    if (!relay || relay.end) {
      return problem(refused(404, "SESSION_UNKNOWN", "there is no such session, or it is over"));
    }
    return pathname === "/client"
      ? this.#acceptClient(request, relay)
      : this.#acceptConnector(request, relay);
  }

  #acceptClient(request: Request, relay: PostgresRelay): Response {
    if (this.#client) return problem(refused(409, "SESSION_EXISTS", "the session has its client already"));
    const framed = offeredProtocols(request).includes(CLIENT_SUBPROTOCOL);
    const { client, server } = acceptPair();
    this.#client = server;
    this.#listen(server, relay, "client");
    relay.attachClient(server, framed);
    return upgraded(client, framed ? CLIENT_SUBPROTOCOL : null);
  }

  #acceptConnector(request: Request, relay: PostgresRelay): Response {
    const name = request.headers.get(CONNECTOR_HEADER) ?? "";
    const use = this.#ticket!.use(request.headers.get(TICKET_HEADER) ?? "", name, Date.now());
    if (use !== "ok") {
      this.#outbox.add({
        ...{ ...this.#facts, type: "connector.refused", severity: "alarm", connector: name, reason: use },
        data: { message: "a connector came for a session with a ticket that is not good" },
      });
      return problem(refused(403, use, "this ticket does not open this session"));
    }
    const { client, server } = acceptPair();
    this.#connector = server;
    this.#connectorLeft = this.#listen(server, relay, "connector");
    relay.attachConnector(server);
    return upgraded(client, CONNECTOR_SUBPROTOCOL);
  }

  /** Resolves when the socket is closed. */
  #listen(socket: WebSocket, relay: PostgresRelay, side: "client" | "connector"): Promise<void> {
    socket.addEventListener("message", ({ data }) => {
      try {
        if (side === "client") relay.clientMessage(data as string | ArrayBuffer);
        else relay.connectorMessage(data as string | ArrayBuffer);
      } catch (error) {
        console.error("relay", error);
        relay.finish("INTERNAL_ERROR", "the session failed at the edge", "XX000");
      }
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    const gone = (): void => {
      if (side === "client") relay.clientClosed();
      else relay.connectorClosed();
      closeSocket(socket, CLOSE_NORMAL, "");
      resolve();
    };
    socket.addEventListener("close", gone);
    socket.addEventListener("error", gone);
    return promise;
  }

  // --- ending -------------------------------------------------------------------------------------------

  /**
   * Ends the session now. Also how a grant's owner ends what runs under it. `confirmed`: the connector has left the
   * target, so that nothing that was under way to it arrives later. The end is written down soon after: later
   * when many are killed `together`.
   */
  async kill(code: string, message: string, together = 1): Promise<{ ended: true; confirmed: boolean }> {
    if (this.#relay) {
      if (!this.#relay.end) {
        this.#outbox.add({
          ...{ ...this.#facts, type: "session.killed", severity: "warn", reason: code },
          data: { message },
        });
      }
      this.#killedTogether ||= together;
      this.#relay.finish(code, message);
      const left = this.#connectorLeft.then(() => true);
      return { ended: true, confirmed: await Promise.race([left, pause(CONFIRM_MS).then(() => false)]) };
    }
    this.#killed = { code, message };
    await this.#closeLost();
    return { ended: true, confirmed: true };
  }

  /** Cancels what runs. False when the key is not this session's. `secretKey` in hexadecimal. */
  cancel(processId: number, secretKey: string): boolean {
    const key = unhex(secretKey);
    if (key === null || !(this.#relay?.cancel(processId, key) ?? false)) return false;
    const told = this.#holds?.cancel();
    if (told) this.ctx.waitUntil(told.catch(() => undefined));
    return true;
  }

  /** The connector could not open the target. Ignored from any connector but the one that was asked. */
  dialFailed(connector: string, code: string, message: string): boolean {
    const stored = this.#store.get();
    if (!this.#relay || this.#connector || stored?.connector !== connector) return false;
    this.#relay.failed(code, message, SQLSTATES[code] ?? "08006");
    return true;
  }

  /** The verdict on a held statement, from its grant's owner. */
  async resolveHold(request: string, verdict: HoldVerdict): Promise<boolean> {
    return (await this.#holds?.resolve(request, verdict)) ?? false;
  }

  /** The session as it stands; null when there is none. One whose object was reset is over. */
  async summary(): Promise<SessionSummary | null> {
    if (!this.#relay) await this.#closeLost();
    const stored = this.#store.get();
    if (!stored) return null;
    const { statements, denied, rows, bytes } = this.#relay?.gate.stats ?? stored.ended ?? NOTHING;
    return {
      ...{ id: stored.sid, started: stored.started, deadline: stored.deadline },
      ended: this.#relay?.end?.code ?? stored.ended?.code ?? null,
      ...{ statements, denied, rows, bytes },
      waiting: this.#relay?.waiting ?? { gate: 0, client: 0, connector: 0 },
      peak: this.#relay?.peak ?? 0,
    };
  }

  /** Whether a segment is the next one of this session's recording, by its header. */
  segmentMay(connector: string, header: SegmentHeader): SegmentVerdict {
    return this.#ending.segmentMay(connector, header);
  }

  /** A segment is in the store; `statement` is the connector's, with the last one. */
  segmentStored(
    header: SegmentHeader,
    digest: string,
    size: number,
    statement: string | null,
  ): Promise<StoredSoFar | null> {
    return this.#ending.segmentStored(header, digest, size, statement);
  }

  #ended(end: RelayEnd): void {
    const relay = this.#relay!;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#stopSpending?.();
    const code = end.cut ? CLOSE_ENDED : CLOSE_NORMAL;
    for (const socket of [this.#client, this.#connector]) if (socket) closeSocket(socket, code, end.code);
    const roots = rootsOf(relay.roots);
    // That nothing was answered is said too: else nobody could tell it from an edge that does not know.
    const answered = rootsOf(relay.answered ?? new RecordingRoots(this.#store.get()!.sid));
    const ended = {
      ...{ ...relay.gate.stats, at: Date.now(), code: end.code, message: end.message, roots, answered },
    };
    // What is sent while a write is under way waits for the disk: the last words of this turn go first.
    // Sessions that are killed together must not delay each other's kill with the writes that follow it.
    const later = this.#killedTogether * (AFTER_KILL_MS + Math.random() * AFTER_KILL_SPREAD_MS);
    const closing = pause(later).then(() => {
      this.#ending.close(this.#store.get()!, ended, this.#facts);
      return this.#ending.settle();
    });
    this.ctx.waitUntil(closing);
    this.ctx.waitUntil(this.#cutLingering());
  }

  /** A plain bridge sends CancelRequest on a connection of its own: it may name any session of its grant. */
  async #cancelSibling(stored: StoredSession, processId: number, secretKey: Uint8Array): Promise<void> {
    const person = { ...stored.actor, email: null };
    const view = await grantOwner(this.#env, stored.grant)?.view(stored.grant, person, false);
    const others = (view?.sessions ?? []).filter((sid) => sid !== stored.sid);
    await Promise.all(
      others.map((sid) => this.#env.SESSIONS.getByName(sid).cancel(processId, hex(secretKey))),
    );
  }

  /** A session without a relay: its object was reset, and its sockets with it. */
  async #closeLost(): Promise<void> {
    const stored = this.#store.get();
    if (!stored || stored.ended || this.#relay) return;
    const { code, message } = this.#killed ?? RESTARTED;
    this.#facts = factsOf(stored, {});
    this.#ending.close(stored, { ...NOTHING, at: Date.now(), code, message, roots: null }, this.#facts);
    await this.#ending.settle();
  }

  /** A Close frame queues behind what a wedged peer does not take; only the end of the object frees that. */
  async #cutLingering(): Promise<void> {
    await pause(LINGER_MS);
    await this.#ending.settle();
    const wedged = [this.#client, this.#connector].some((socket) => (socket?.bufferedAmount ?? 0) > 0);
    if (wedged && this.#store.get()?.settled)
      this.ctx.abort("a peer does not take its end", { retryAlarm: false });
  }

  // --- time ---------------------------------------------------------------------------------------------

  /** Sets the timer to the next moment at which something may be due. */
  #schedule(): void {
    const relay = this.#relay;
    const stored = this.#store.get();
    if (!relay || relay.end || !stored) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const due = dueOf(relay, stored, this.#task!.session.idleMs, this.#env.DIAL_MS);
    if (due.at <= Date.now()) {
      relay.finish(due.code, due.message);
      return;
    }
    // A busy session may become idle at any time: look again before its patience could have run out twice.
    const again = Math.min(due.at - Date.now(), HEARTBEAT_MS, this.#task!.session.idleMs);
    this.#timer = setTimeout(() => this.#schedule(), again);
  }

  override async alarm(): Promise<void> {
    const stored = this.#store.get();
    if (!stored) return;
    const relay = this.#relay;
    if (relay && !relay.end) {
      const { statements, denied, rows, bytes } = relay.gate.stats;
      await this.ctx.storage.setAlarm(Date.now() + HEARTBEAT_MS);
      const totals = { statements, denied, rows, bytes };
      await Promise.allSettled([
        recordSessionProgress(this.#env.DB, stored.sid, totals),
        this.#logProgress(stored.sid, relay),
      ]);
      return;
    }
    if (!stored.ended) await this.#closeLost();
    else await this.#ending.afterwards();
  }

  /** What crossed so far, unless nothing did since the last time: of it the edge's word holds even after a reset. */
  async #logProgress(sid: string, relay: PostgresRelay): Promise<void> {
    const { frontend, backend } = relay.roots;
    if (frontend.count + backend.count === this.#logged) return;
    this.#logged = frontend.count + backend.count;
    await logProgress(this.#env, sid, rootsOf(relay.roots), Date.now());
  }

  get #outbox(): AuditOutbox {
    this.#outboxOnce ??= new AuditOutbox({
      ...{ db: this.#env.DB, sql: this.ctx.storage.sql, now: () => Date.now(), mode: "buffered" },
    });
    return this.#outboxOnce;
  }
}

const NOTHING = { statements: 0, denied: 0, rows: 0, bytes: 0 };
const RESTARTED = { code: "EDGE_RESTARTED", message: "the edge restarted while the session ran" };
