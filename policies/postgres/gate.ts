/**
 * The Postgres gate: between a client and an authenticated database session, the protocol state machine that
 * decides every statement and keeps order. Pure and synchronous: bytes in, bytes and events out.
 *
 * A refused message is replaced by one that the server cannot parse, and the error that comes back is given
 * the refusal's text. So order, transaction state, and what a pipeline discards are the server's own.
 *
 * The host must not call into the gate from its own callbacks, except `resolveHold` from `hold`.
 */
import { queryMessage } from "../../wire/postgres/frontend.ts";
import { readStartupPacket } from "../../wire/postgres/startup.ts";
import { MessageStream } from "../../wire/postgres/stream.ts";
import type { Catalog } from "./catalog-types.ts";
import { NamedConstraints, shownColumns } from "./constraints.ts";
import { BackendHalf, backendTypes, MAX_BACKEND_MESSAGE } from "./gate-backend.ts";
import { FrontendHalf, frontendTypes } from "./gate-frontend.ts";
import { visibleOrigins } from "./gate-origins.ts";
import { gateNotice } from "./gate-refusal.ts";
import { owe } from "./gate-replies.ts";
import { bareScrubber, GateSession } from "./gate-session.ts";
import { type AcceptedStartup, readStartup, SessionParameters, settingsText } from "./gate-startup.ts";
import type {
  ClientStartup,
  GateOptions,
  GateReason,
  GateStats,
  HoldVerdict,
  OpenedServer,
} from "./gate-types.ts";

export type * from "./gate-types.ts";

const defaultMaxMessage = 1024 * 1024;
/** Bytes of a client that may wait: behind a hold, or before the target is open. */
const maxWaiting = 4 * 1024 * 1024;
/** Bytes that a client may send behind its StartupMessage before the greeting; drivers send none. */
const maxEarly = 16 * 1024;
const refusedEncryption = Uint8Array.of(0x4e); // N

export class PostgresGate {
  readonly #options: GateOptions;
  readonly #session: GateSession;
  readonly #frontend: FrontendHalf;
  readonly #fromClient: MessageStream;
  #fromServer: MessageStream | null = null;
  #parameters: SessionParameters | null = null;
  #startup: AcceptedStartup | null = null;
  /** Start-up bytes that are not a whole packet yet, or what follows it until the greeting. */
  #early: Uint8Array = new Uint8Array(0);
  #encryptionAsked = { ssl: false, gss: false };
  #greeted = false;
  #ended = false;
  /** Notices that wait for the end of the row under way. */
  #notices: Uint8Array[] = [];

  constructor(options: GateOptions) {
    this.#options = options;
    this.#session = new GateSession(options, options.scrub ?? bareScrubber);
    this.#frontend = new FrontendHalf(this.#session, (message, hint) => this.notice(message, hint));
    this.#fromClient = new MessageStream(this.#frontend, {
      types: frontendTypes,
      maxMessage: options.maxMessage ?? defaultMaxMessage,
    });
    this.#frontend.stream = this.#fromClient;
  }

  get stats(): Readonly<GateStats> {
    return this.#session.stats;
  }

  /** What the client asked for; null until its StartupMessage was accepted. */
  get startup(): ClientStartup | null {
    return this.#startup;
  }

  get bufferedFromClient(): number {
    return this.#early.length + this.#fromClient.buffered;
  }

  get bufferedFromServer(): number {
    return this.#fromServer?.buffered ?? 0;
  }

  /** Nothing is owed to the client, and nothing of it waits. */
  get idle(): boolean {
    return this.#session.replies.length === 0 && this.bufferedFromClient === 0;
  }

  /** Number of the statement of which rows came and the end did not; 0 for none. */
  get answering(): number {
    const run = this.#session.replies.head?.run;
    return run && run.rows > 0 ? run.n : 0;
  }

  /** Transaction status of the last ReadyForQuery: I, T or E. */
  get transactionStatus(): string {
    return String.fromCharCode(this.#session.status);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** The target is open and authenticated, and idle: its ReadyForQuery was taken by who opened it. */
  opened(server: OpenedServer): void {
    if (this.#ended || this.#parameters) return;
    const session = this.#session;
    session.decider = server.decider ?? session.decider;
    const catalog: Catalog | null = server.catalog ?? this.#options.catalog ?? null;
    session.origins = visibleOrigins(session.task, catalog);
    if (catalog?.constraints) {
      const { rules } = session.task;
      session.constraints = new NamedConstraints(catalog, ({ schema, name }) =>
        shownColumns(rules, schema, name),
      );
    }
    session.typeOids = new Set(catalog?.typeOids ?? []);
    session.newestOid = catalog?.newestOid ?? Number.POSITIVE_INFINITY;
    const parameters = new SessionParameters(server.parameters);
    const wrong = parameters.check();
    if (wrong !== null) {
      session.alarm("PINNED_SETTING_WRONG", wrong);
      this.finish({
        code: "PINNED_SETTING_WRONG",
        message: `the database session cannot be used: ${wrong}`,
        sqlstate: "08P01",
      });
      return;
    }
    this.#parameters = parameters;
    const backend = new BackendHalf(
      session,
      parameters,
      () => this.#greeting(),
      () => this.#frontend.holds.skip(),
    );
    this.#fromServer = new MessageStream(backend, { types: backendTypes, maxMessage: MAX_BACKEND_MESSAGE });
    backend.stream = this.#fromServer;
    this.#greetWhenReady();
    this.#settle();
  }

  /** Bytes of the client, from its start-up packet on. The chunk belongs to the gate from now on. */
  fromClient(chunk: Uint8Array): void {
    if (this.#ended || chunk.length === 0) return;
    if (this.#greeted) this.#fromClient.push(chunk);
    else this.#beforeGreeting(chunk);
    if (this.bufferedFromClient > maxWaiting) {
      this.finish({
        code: "CLIENT_BUFFER_FULL",
        message: "too much was sent while a statement waits",
        sqlstate: "54000",
      });
    }
    this.#settle();
  }

  /** Bytes of the server, after `opened`. The chunk belongs to the gate from now on. */
  fromServer(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (!this.#fromServer) {
      this.#session.alarm("TARGET_PROTOCOL", "the database spoke before it was opened");
      this.finish({ code: "TARGET_PROTOCOL", message: "the database broke the protocol", sqlstate: "08P01" });
      return;
    }
    this.#fromServer.push(chunk);
    this.#settle();
  }

  /**
   * The verdict for a parked statement. Allowed, it is what was parked, byte for byte, that runs; the grant is
   * checked again. False when nothing waits under this id (any more).
   */
  resolveHold(id: number, verdict: HoldVerdict): boolean {
    if (this.#ended || !this.#frontend.holds.resolve(id, verdict)) return false;
    this.#settle();
    return true;
  }

  /** Sends the client a NOTICE as soon as no row is under way. */
  notice(message: string, hint?: string): void {
    if (this.#ended || !this.#greeted) return;
    this.#notices.push(gateNotice(message, hint));
    this.#sendNotices();
  }

  /**
   * Ends the session: the client gets a FATAL error, unless a row is half sent (then nothing more), and the
   * host is told. SQLSTATE 57P01 says that an administrator did it.
   */
  finish(reason: GateReason): void {
    if (this.#ended) return;
    const last = this.#session.end(reason);
    if (last.length > 0 && (this.#fromServer?.atBoundary ?? true)) this.#session.toClient(last);
    this.#settle();
  }

  /** Whether a CancelRequest names this session. Takes the same time for every wrong key. */
  matchesCancel(processId: number, secretKey: Uint8Array): boolean {
    const { cancelKey } = this.#options;
    const key = (this.#startup?.minor ?? 0) >= 2 ? cancelKey.secretKey : cancelKey.secretKey.subarray(0, 4);
    let difference = (processId ^ cancelKey.processId) | (secretKey.length ^ key.length);
    for (let i = 0; i < key.length; i++) difference |= key[i]! ^ (secretKey[i] ?? 0);
    return difference === 0;
  }

  #beforeGreeting(chunk: Uint8Array): void {
    const bytes = new Uint8Array(this.#early.length + chunk.length);
    bytes.set(this.#early);
    bytes.set(chunk, this.#early.length);
    this.#early = bytes;
    while (!this.#startup && !this.#session.ending) {
      const read = readStartupPacket(this.#early);
      if (!read.ok) {
        this.#refuseStart("CLIENT_PROTOCOL", read.message, "08P01");
        return;
      }
      if (read.packet === null) return;
      const { packet } = read;
      this.#early = this.#early.subarray(read.size);
      if (packet.kind === "ssl" || packet.kind === "gss") this.#refuseEncryption(packet.kind);
      else if (packet.kind === "cancel") {
        this.#session.host.cancel?.(packet.processId, packet.secretKey);
        this.#session.ending = {
          code: "CANCEL_REQUEST",
          message: "a cancel request, not a session",
          sqlstate: "57014",
        };
      } else {
        const result = readStartup(packet, this.#session.task.limits);
        if (!result.ok) {
          this.#refuseStart(result.reason.code, result.reason.message, result.reason.sqlstate);
          return;
        }
        this.#startup = result.startup;
      }
    }
    if (this.#early.length > maxEarly) {
      this.finish({
        code: "CLIENT_BUFFER_FULL",
        message: "too much was sent before the greeting",
        sqlstate: "54000",
      });
      return;
    }
    this.#greetWhenReady();
  }

  /**
   * This hop is inside TLS already. Bytes sent together with the question could be an attacker's, smuggled in
   * before encryption starts (CVE-2021-3935, attack P1).
   */
  #refuseEncryption(kind: "ssl" | "gss"): void {
    if (this.#early.length > 0 || this.#encryptionAsked[kind]) {
      const message = "received unencrypted data after an encryption request";
      this.#refuseStart("CLIENT_PROTOCOL", message, "08P01");
      return;
    }
    this.#encryptionAsked[kind] = true;
    this.#session.toClient(refusedEncryption);
  }

  #refuseStart(code: string, message: string, sqlstate: string): void {
    this.#session.toClient(this.#session.end({ code, message, sqlstate }));
  }

  #greetWhenReady(): void {
    const session = this.#session;
    if (!this.#startup || !this.#parameters || session.ending || session.replies.length > 0) return;
    const { settings } = this.#startup;
    session.settings = settings;
    if (settings.length === 0) {
      session.toClient(this.#greeting());
      return;
    }
    const reply = owe("setup", 0, { hidden: true });
    session.replies.push(reply);
    session.toServer(queryMessage(settingsText(settings)));
  }

  #greeting(): Uint8Array {
    this.#greeted = true;
    return this.#parameters!.greeting(this.#startup!, this.#options.cancelKey, this.#options.session);
  }

  /** After each input: what waited may go on, and the end is told last. */
  #settle(): void {
    const session = this.#session;
    this.#sendNotices();
    if (this.#greeted && !session.ending) {
      const early = this.#early;
      this.#early = new Uint8Array(0);
      this.#fromClient.push(early);
      while (!session.ending && this.#fromClient.waiting && this.#frontend.mayResume)
        this.#fromClient.resume();
    }
    const { ending } = session;
    if (!ending || this.#ended) return;
    this.#ended = true;
    this.#early = new Uint8Array(0);
    this.#fromClient.stop();
    this.#fromServer?.stop();
    session.record({ t: "end", code: ending.code, message: ending.message, at: session.clock() });
    session.host.end(ending);
  }

  #sendNotices(): void {
    if (this.#notices.length === 0 || !(this.#fromServer?.atBoundary ?? false)) return;
    for (const notice of this.#notices) this.#session.toClient(notice);
    this.#notices = [];
  }
}
