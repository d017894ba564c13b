/**
 * The object of the requests to a cluster or HTTP API under one grant: `RequestSession` with this deployment's
 * policies, its connectors, its log and its recordings. The first connection of a session is its recording's: the
 * facts go there in one order, and a request on any other connection waits at the connector for those before it.
 */
import { encodePiece, messageOf, type Piece, type Stars } from "../../wire/pieces.ts";
import { RecordingRoots, type SegmentHeader } from "../../wire/recording.ts";
import { recordSessionProgress } from "../audit/store.ts";
import { bundle, findResource, findTask } from "../bundle.ts";
import { type Bindings, bindingsFrom } from "../env.ts";
import { CONNECTOR_HEADER } from "../headers.ts";
import { problem as refusal } from "../identity/http.ts";
import { logProgress, logStart } from "../log/session.ts";
import type { SegmentVerdict } from "../sessions/chain.ts";
import type { Answered } from "../sessions/connector-stream.ts";
import { SessionEnding, type StoredSoFar } from "../sessions/ending.ts";
import { refused } from "../sessions/opening.ts";
import { type EndedSession, rootsOf, SessionStore, type StoredSession } from "../sessions/stored.ts";
import { ChannelError, NOTHING_WRITTEN, type RequestChannel, type Written } from "./request-channel.ts";
import {
  type Fault,
  factsOfRun,
  type RequestRun,
  type RequestTotals,
  recordedFact,
  totalsOf,
} from "./request-run.ts";
import { RequestSession } from "./request-session.ts";
import type { RequestEvent } from "./requests.ts";

const STORED = "session:";

/** The recording of the session that runs. */
interface Recording {
  readonly channel: RequestChannel;
  readonly roots: RecordingRoots;
  /** What the connector has for sure: the target answered a request that waited for it. */
  answered: Answered;
}

export class RequestObject extends RequestSession<Bindings> {
  readonly #env: Bindings;
  readonly #endings = new Map<string, { readonly store: SessionStore; readonly ending: SessionEnding }>();
  #recording: Recording | null = null;
  /** Entries of the recording when the edge's word on them was last put into the log. */
  #logged = 0;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    this.#env = bindingsFrom(env);
  }

  /** As the base, for the connector that was asked and no other. */
  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname.startsWith("/connector/sessions/")) {
      const given = request.headers.get(CONNECTOR_HEADER) ?? "";
      const { run } = this;
      if (!run || given !== connectorOf(run)) {
        return refusal(refused(403, "TICKET_FOREIGN", "this ticket does not open this session"));
      }
    }
    return super.fetch(request);
  }

  protected override get dialMs() {
    return this.#env.DIAL_MS;
  }

  protected override taskOf(name: string) {
    return findTask(name);
  }

  protected override async dial(channel: string, ticket: string, run: RequestRun) {
    const { task } = run;
    return await this.#env.CONNECTORS.getByName(connectorOf(run)).dial({
      ...{ v: 1, t: "dial", session: channel, ticket, resource: task.resource },
      url: `/connector/sessions/${channel}`,
      task: { name: task.name, digest: task.digest, readOnly: false, relations: [], functions: [] },
      options: {},
      user: { application_name: `wicket/${run.id}`.slice(0, 128) },
      recording: task.recording,
      deadline: run.deadline,
    });
  }

  // --- the recording ------------------------------------------------------------------------------------

  /** Writes the start into the log, and opens the recording: a session that cannot be recorded does not happen. */
  protected override async begin(run: RequestRun): Promise<Fault | null> {
    await this.#closeLost();
    const { id, context, task, started, deadline, approvals } = run;
    const connector = connectorOf(run);
    const connectorKey = await this.#env.CONNECTORS.getByName(connector).verifierKey();
    if (connectorKey === null) return { code: "CONNECTOR_OFFLINE", message: "the connector is not enrolled" };
    const { actor } = factsOfRun(run);
    this.#ending(id).store.put({
      ...{ sid: id, grant: context.grant, actor, task: task.name, taskDigest: task.digest },
      ...{ resource: task.resource, connector, connectorKey, started, deadline },
      ...{ ended: null, settled: false, recorded: null, ...(task.recording.sealed ? { sealed: true } : {}) },
      recording: task.recording,
    });
    const { params, reason, grant } = context;
    try {
      const facts = { session: id, started, actor, task: findTask(task.name)!, policies: bundle.digest };
      await logStart(this.#env, { ...facts, connector, connectorKey, grant, params, reason, approvals });
      await this.outbox.flush();
    } catch {
      return { code: "STATE_UNAVAILABLE", message: "the start of the session could not be written down" };
    }
    try {
      const channel = await this.openChannel(run);
      const roots = new RecordingRoots(id);
      this.#recording = { channel, roots, answered: markOf(roots) };
      this.#logged = 0;
      channel.onIdle = () => {
        if (channel.dead) void this.end("CONNECTOR_LOST", "the connection of the recording was lost");
      };
      return null;
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      return { code: error.code, message: error.message };
    }
  }

  protected override write(run: RequestRun, event: RequestEvent): void {
    const recording = this.#recording;
    if (!recording || recording.channel.dead || run !== this.run) return;
    const message = recording.channel.record(recordedFact(event));
    recording.roots.add("event", new TextEncoder().encode(message));
  }

  protected override keep(run: RequestRun, piece: Piece, stars?: Stars): void {
    const recording = this.#recording;
    if (!recording || recording.channel.dead || run !== this.run) return;
    const entry = encodePiece(piece);
    recording.channel.keep(messageOf(piece, stars) ?? entry);
    recording.roots.add("frontend", entry);
  }

  protected override get lag(): number {
    return this.#recording?.channel.unsent ?? 0;
  }

  protected override get written(): Written {
    const recording = this.#recording;
    if (!recording) return NOTHING_WRITTEN;
    const mark = markOf(recording.roots);
    const { count } = mark.frontend;
    return {
      count,
      answered: () => {
        if (count > recording.answered.frontend.count) recording.answered = mark;
      },
    };
  }

  protected override async finish(run: RequestRun, end: Fault, totals: RequestTotals): Promise<void> {
    const recording = this.#recording;
    this.#recording = null;
    const at = Date.now();
    let proof: Pick<EndedSession, "roots" | "answered"> = { roots: null };
    if (recording) {
      if (!recording.channel.dead) {
        const message = recording.channel.record({ t: "end", ...end, at });
        recording.roots.add("event", new TextEncoder().encode(message));
      }
      proof = { roots: rootsOf(recording.roots), answered: rootsOf(recording.answered) };
      recording.channel.onIdle = null;
      if (!recording.channel.dead) recording.channel.abort(end.code, end.message);
    }
    const { store, ending } = this.#ending(run.id);
    const stored = store.get();
    if (!stored) return;
    ending.close(stored, { ...totals, at, code: end.code, message: end.message, ...proof }, factsOfRun(run));
    await ending.settle();
  }

  /** Whether a segment is the next one of its session's recording, by its header. */
  segmentMay(connector: string, header: SegmentHeader): SegmentVerdict {
    return this.#ending(header.session).ending.segmentMay(connector, header);
  }

  /** A segment is in the store; `statement` is the connector's, with the last one. */
  segmentStored(
    header: SegmentHeader,
    digest: string,
    size: number,
    statement: string | null,
  ): Promise<StoredSoFar | null> {
    return this.#ending(header.session).ending.segmentStored(header, digest, size, statement);
  }

  // --- time, and what a reset left ----------------------------------------------------------------------

  override async alarm(): Promise<void> {
    await this.#closeLost();
    const { run } = this;
    if (run && !run.over) {
      await super.alarm();
      if (!run.over) {
        await Promise.allSettled([
          recordSessionProgress(this.#env.DB, run.id, totalsOf(run)),
          this.#logProgress(run.id),
        ]);
      }
    }
    for (const stored of this.#stored()) {
      if (stored.ended) await this.#ending(stored.sid).ending.afterwards();
    }
  }

  /** What was recorded so far, unless nothing was since the last time: of it the edge's word holds even after a reset. */
  async #logProgress(sid: string): Promise<void> {
    const roots = this.#recording?.roots;
    if (!roots || roots.frontend.count === this.#logged) return;
    this.#logged = roots.frontend.count;
    await logProgress(this.#env, sid, rootsOf(roots), Date.now());
  }

  /** Sessions that the object does not know any more: it was reset, and their connections with it. */
  async #closeLost(): Promise<void> {
    for (const stored of this.#stored()) {
      if (stored.ended || stored.sid === this.run?.id) continue;
      const ended = { statements: 0, denied: 0, rows: 0, bytes: 0, at: Date.now(), roots: null };
      const { ending } = this.#ending(stored.sid);
      const { sid: session, grant, actor, task, taskDigest, resource } = stored;
      const facts = { session, grant, actor, task, taskDigest, resource };
      const message = "the edge restarted while the session ran";
      ending.close(stored, { ...ended, code: "EDGE_RESTARTED", message }, facts);
      await ending.settle();
    }
  }

  #stored(): StoredSession[] {
    return [...this.ctx.storage.kv.list<StoredSession>({ prefix: STORED })].map(([, stored]) => stored);
  }

  #ending(sid: string): { readonly store: SessionStore; readonly ending: SessionEnding } {
    const known = this.#endings.get(sid);
    if (known) return known;
    const { ctx } = this;
    const store = new SessionStore(ctx.storage, STORED + sid);
    const ending = new SessionEnding({
      ...{ env: this.#env, ctx, store, outbox: () => this.outbox },
      wake: async (at) => {
        const next = await ctx.storage.getAlarm();
        if (next === null || next > at) await ctx.storage.setAlarm(at);
      },
      forget: async () => {
        store.delete();
        this.#endings.delete(sid);
      },
    });
    const made = { store, ending };
    this.#endings.set(sid, made);
    return made;
  }
}

/** What is recorded so far. */
function markOf({ frontend, backend }: RecordingRoots): Answered {
  return { frontend: frontend.mark(), backend: backend.mark() };
}

function connectorOf({ task }: RequestRun): string {
  return findResource(task.resource)?.connector ?? "";
}
