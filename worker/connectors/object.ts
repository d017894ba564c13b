/**
 * One connector: who it is, whether it is there, and the way to make it dial. Its control sockets hibernate, so
 * that a connector that waits costs nothing; all state is in storage and in the sockets' attachments.
 *
 * Several sockets under one name may be open (a reconnect that overtakes a half-open one, or a replica): the
 * newest is asked to dial. None is displaced silently: each arrival is an event, and another key can only take
 * the name when an administrator opened an enrolment that says so.
 */
import { DurableObject } from "cloudflare:workers";
import {
  type ConnectorStatus,
  type Dial,
  type DialFailed,
  encodeConnectorControl,
  type Hello,
  parseConnectorControl,
} from "../../wire/control.ts";
import { CONNECTOR_SUBPROTOCOL } from "../../wire/tunnel.ts";
import type { Actor, NewEvent } from "../audit/events.ts";
import { AuditOutbox } from "../audit/outbox.ts";
import { resourcesOf } from "../bundle.ts";
import { type Bindings, bindingsFrom } from "../env.ts";
import { type Problem, problem } from "../identity/http.ts";
import { hashOf } from "../identity/secrets.ts";
import { connectorKey } from "../log/session.ts";
import { readChannel, requestObjectName, sessionObject } from "../sessions/names.ts";
import {
  CLOSE_ENDED,
  CLOSE_VIOLATION,
  closeSocket,
  sendableCode,
  trySend,
  upgraded,
} from "../sessions/sockets.ts";
import { hex } from "../sessions/ticket.ts";
import { ConnectorRegistry } from "./registry.ts";
import { connectorToken, readPublicKey, verifyConnectorToken } from "./token.ts";

/** How long an enrolment code is good, milliseconds. */
export const ENROLMENT_MS = 15 * 60_000;
/** How often a connector pings, and after what silence its socket is closed. */
const HEARTBEAT_MS = 20_000;
const SILENT_MS = 60_000;
/** Events of refused attempts that anyone can cause, a minute. */
const MAX_REFUSALS = 20;
/** Control sockets of one name at the same time. */
const MAX_SOCKETS = 8;

/** What a socket carries through hibernation. */
interface Attachment {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly thumbprint: string;
  readonly version: string | null;
  /** Resources that it offered and the policies give it; empty until its hello. */
  readonly resources: readonly string[];
  /** It has auditors' keys to seal recordings to. */
  readonly seals?: boolean;
  readonly spool?: ConnectorStatus["spool"];
}

/** One connection of a connector. `spool`: as it said last; null before. */
export interface ConnectionSummary {
  readonly since: number;
  readonly version: string | null;
  readonly resources: readonly string[];
  readonly seals: boolean;
  readonly spool: ConnectorStatus["spool"] | null;
}

export type DialResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string };

export type Enrolment =
  | { readonly ok: true; readonly code: string; readonly expires: number }
  | (Problem & { readonly ok: false });

export type Verified =
  | { readonly ok: true; readonly name: string; readonly key: string }
  | (Problem & { readonly ok: false });

/** A connector as lists show it. Times in ms since the epoch. */
export interface ConnectorSummary {
  readonly name: string;
  readonly enrolled: { readonly thumbprint: string; readonly since: number } | null;
  readonly online: boolean;
  readonly connections: readonly ConnectionSummary[];
  readonly sessions: number;
}

export class ConnectorObject extends DurableObject<Bindings> {
  readonly #env: Bindings;
  readonly #name: string;
  readonly #registry: ConnectorRegistry;
  readonly #outbox: AuditOutbox;
  #refusals = { minute: 0, count: 0 };

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    this.#env = bindingsFrom(env);
    this.#name = ctx.id.name ?? "";
    this.#registry = new ConnectorRegistry(ctx.storage);
    this.#outbox = new AuditOutbox({
      db: env.DB,
      sql: ctx.storage.sql,
      now: () => Date.now(),
      mode: "durable",
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  // --- enrolment ----------------------------------------------------------------------------------------

  /** Opens an enrolment: a code for one key. A name that has a key is only given away when that is meant. */
  async openEnrolment(by: Actor, replace: boolean): Promise<Enrolment> {
    const enrolled = this.#registry.enrolled;
    if (enrolled && !replace) {
      return {
        ...no(409, "CONNECTOR_EXISTS", `the connector ${this.#name} is enrolled already`),
        hint: "To give the name to another key, ask for the enrolment with replace.",
      };
    }
    const code = `wce_${hex(crypto.getRandomValues(new Uint8Array(24)))}`;
    const expires = Date.now() + ENROLMENT_MS;
    this.#registry.openCode({ hash: await hashOf(code), expires, replaces: enrolled?.thumbprint ?? null });
    this.#tell({
      actor: by,
      type: "connector.enrolment",
      severity: enrolled ? "warn" : "info",
      data: { expires },
    });
    return { ok: true, code, expires };
  }

  /** Spends the code on a public key (JWK). The key that had the name before is out, and its sessions end. */
  async enrol(
    code: string,
    publicKey: unknown,
  ): Promise<{ ok: true; thumbprint: string } | (Problem & { ok: false })> {
    const now = Date.now();
    const hash = await hashOf(code);
    const read = await readPublicKey(publicKey);
    if (!read) return no(400, "KEY_INVALID", "the public key is not an Ed25519 JWK");
    const before = this.#registry.enrolled;
    const taken = this.#registry.takeCode(hash, now);
    if (!taken || taken.replaces !== (before?.thumbprint ?? null)) {
      const message = "an enrolment was tried with a code that is not good";
      this.#tell({ type: "connector.refused", severity: "alarm", reason: "CODE_INVALID", data: { message } });
      return no(403, "CODE_INVALID", "the enrolment code is not good, or was used or has expired");
    }
    this.#registry.enrol({ key: read.key, thumbprint: read.thumbprint, since: now });
    const severity = before ? "alarm" : "info";
    this.#tell({ type: "connector.enrolled", severity, data: { thumbprint: read.thumbprint } });
    if (before) await this.#expel("CONNECTOR_REPLACED", "the connector's name was given to another key");
    return { ok: true, thumbprint: read.thumbprint };
  }

  /** The vkey that the connector's statements about recordings verify with; null when it is not enrolled. */
  verifierKey(): string | null {
    const enrolled = this.#registry.enrolled;
    return enrolled && connectorKey(this.#name, enrolled.key);
  }

  /** Takes the connector's key away: its sockets close and its sessions end. */
  async remove(by: Actor): Promise<boolean> {
    if (!this.#registry.enrolled) return false;
    this.#registry.remove();
    const message = "the connector was removed";
    this.#tell({
      actor: by,
      type: "connector.refused",
      severity: "warn",
      reason: "CONNECTOR_REMOVED",
      data: { message },
    });
    await this.#expel("CONNECTOR_REMOVED", message);
    return true;
  }

  async #expel(code: string, message: string): Promise<void> {
    for (const socket of this.ctx.getWebSockets()) closeSocket(socket, CLOSE_ENDED, code);
    await Promise.allSettled(
      this.#registry.sessions().map((sid) => sessionObject(this.#env, sid).kill(code, message)),
    );
  }

  // --- proof of who is there ----------------------------------------------------------------------------

  /** Verifies a connector's token and uses it up. */
  async verify(token: string): Promise<Verified> {
    const enrolled = this.#registry.enrolled;
    if (!enrolled) return no(401, "CONNECTOR_UNKNOWN", "this connector is not enrolled");
    const now = Date.now();
    const verified = await verifyConnectorToken(token, this.#name, enrolled.key, this.#env.EDGE_ORIGIN, now);
    const fresh = verified.ok && this.#registry.useToken(verified.jti, verified.expires, now);
    if (verified.ok && fresh) return { ok: true, name: this.#name, key: enrolled.key.x! };
    const reason = verified.ok ? "TOKEN_REPLAYED" : verified.code;
    this.#tell({
      ...{ type: "connector.refused", reason, severity: reason === "TOKEN_EXPIRED" ? "warn" : "alarm" },
      data: { message: "a connector's token was not accepted" },
    });
    return no(401, reason, "the connector's token is not accepted");
  }

  // --- the control socket -------------------------------------------------------------------------------

  /** The control socket's handshake; the token comes with it. */
  override async fetch(request: Request): Promise<Response> {
    const given = connectorToken(request);
    const verified = given
      ? await this.verify(given.token)
      : no(401, "TOKEN_MISSING", "no connector token was sent");
    if (!verified.ok) return problem(verified);
    const open = this.#live();
    if (open.length >= MAX_SOCKETS)
      return problem(no(409, "LIMIT_CONNECTIONS", "too many connections of one name"));
    const pair = new WebSocketPair();
    this.ctx.acceptWebSocket(pair[1]);
    const thumbprint = this.#registry.enrolled!.thumbprint;
    const attachment: Attachment = { since: Date.now(), thumbprint, version: null, resources: [] };
    pair[1].serializeAttachment(attachment);
    trySend(
      pair[1],
      encodeConnectorControl({ v: 1, t: "welcome", name: this.#name, heartbeatMs: HEARTBEAT_MS }),
    );
    await this.ctx.storage.setAlarm(Date.now() + SILENT_MS);
    return upgraded(pair[0], CONNECTOR_SUBPROTOCOL);
  }

  override webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): void {
    const parsed = typeof data === "string" ? parseConnectorControl(data) : null;
    if (!parsed?.ok) {
      closeSocket(socket, CLOSE_VIOLATION, parsed ? parsed.code : "CONTROL_MALFORMED");
      return;
    }
    const { message } = parsed;
    if (message.t === "hello") this.#hello(socket, message);
    else if (message.t === "status") {
      const before = readAttachment(socket);
      if (before) socket.serializeAttachment({ ...before, spool: message.spool } satisfies Attachment);
    } else if (this.#registry.hasSession(sessionOf(message.session))) {
      this.ctx.waitUntil(this.#dialFailed(message).catch(() => undefined));
    } else {
      const text = "a connector answered for a session that it was not asked for";
      this.#tell({
        ...{
          type: "connector.refused",
          severity: "alarm",
          session: message.session,
          reason: "SESSION_FOREIGN",
        },
        data: { message: text },
      });
    }
  }

  async #dialFailed({ session, code, message }: DialFailed): Promise<void> {
    const channel = readChannel(session);
    if (!channel) await this.#env.SESSIONS.getByName(session).dialFailed(this.#name, code, message);
    else {
      const requests = this.#env.REQUESTS.getByName(requestObjectName(channel.session));
      await requests.dialFailed(session, code, message);
    }
  }

  #hello(socket: WebSocket, hello: Hello): void {
    if (hello.name !== this.#name) {
      closeSocket(socket, CLOSE_VIOLATION, "NAME_MISMATCH");
      return;
    }
    const own = resourcesOf(this.#name);
    const resources = hello.resources.filter((name) => own.includes(name));
    const foreign = hello.resources.filter((name) => !own.includes(name));
    if (foreign.length > 0) {
      const message = `it offers what the policies do not give it: ${foreign.join(", ").slice(0, 500)}`;
      this.#tell({
        type: "connector.refused",
        severity: "alarm",
        reason: "RESOURCE_FOREIGN",
        data: { message },
      });
    }
    const before = readAttachment(socket);
    if (!before) return;
    const others = this.#live().filter((one) => one.socket !== socket && one.attachment.version !== null);
    const seals = hello.seals ?? false;
    socket.serializeAttachment({ ...before, version: hello.version, resources, seals } satisfies Attachment);
    this.#tell({
      ...{ type: "connector.online", severity: others.length > 0 ? "warn" : "info" },
      ...(others.length > 0 ? { reason: "CONNECTOR_SECOND" } : {}),
      data: { version: hello.version, resources },
    });
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    // A hibernating socket is not answered by the runtime.
    closeSocket(socket, sendableCode(code), reason);
    this.#gone(socket, reason === "" ? `closed with ${code}` : reason);
  }

  override webSocketError(socket: WebSocket): void {
    this.#gone(socket, "the connection was lost");
  }

  #gone(socket: WebSocket, message: string): void {
    const rest = this.#live().filter((one) => one.socket !== socket);
    if (rest.length === 0) this.#tell({ type: "connector.offline", severity: "warn", data: { message } });
  }

  // --- sessions -----------------------------------------------------------------------------------------

  /** Has the connector dial back for a session. `ok` = it was told. */
  dial(message: Dial): DialResult {
    const ready = this.#live()
      .filter((one) => one.attachment.resources.includes(message.resource))
      .filter((one) => one.attachment.seals || !message.recording.sealed)
      .sort((a, b) => b.attachment.since - a.attachment.since);
    for (const { socket } of ready) {
      this.#registry.sessionDialled(sessionOf(message.session), Date.now());
      if (trySend(socket, encodeConnectorControl(message))) return { ok: true };
    }
    const serves = this.#live().some((one) => one.attachment.resources.includes(message.resource));
    if (serves && message.recording.sealed) {
      const what = "has no auditors' keys, and the task wants its recording sealed";
      return { ok: false, code: "SEALING_UNAVAILABLE", message: `the connector ${this.#name} ${what}` };
    }
    const there = this.#live().some((one) => one.attachment.version !== null);
    return there
      ? {
          ok: false,
          code: "RESOURCE_OFFLINE",
          message: `the connector ${this.#name} does not serve ${message.resource}`,
        }
      : { ok: false, code: "CONNECTOR_OFFLINE", message: `the connector ${this.#name} is not connected` };
  }

  /**
   * A session is over. When it was cut, the connector is told here too: the session's own socket may be wedged,
   * or not there yet.
   */
  ended(sid: string, cut: boolean): void {
    if (!this.#registry.sessionEnded(sid) || !cut) return;
    for (const { socket } of this.#live())
      trySend(socket, encodeConnectorControl({ v: 1, t: "kill", session: sid }));
  }

  /** Asks the connector to finish and reconnect. */
  drain(): void {
    for (const { socket } of this.#live()) trySend(socket, encodeConnectorControl({ v: 1, t: "drain" }));
  }

  summary(): ConnectorSummary {
    const enrolled = this.#registry.enrolled;
    const connections = this.#live()
      .filter((one) => one.attachment.version !== null)
      .map(({ attachment: { since, version, resources, seals = false, spool = null } }) => ({
        ...{ since, version, resources, seals, spool },
      }));
    return {
      name: this.#name,
      enrolled: enrolled && { thumbprint: enrolled.thumbprint, since: enrolled.since },
      online: connections.length > 0,
      connections,
      sessions: this.#registry.sessions().length,
    };
  }

  // --- inside -------------------------------------------------------------------------------------------

  /** Sockets that are open, were opened with the key that is enrolled now, and were heard of lately. */
  #live(): { socket: WebSocket; attachment: Attachment }[] {
    const thumbprint = this.#registry.enrolled?.thumbprint;
    const silent = Date.now() - SILENT_MS;
    const live: { socket: WebSocket; attachment: Attachment }[] = [];
    for (const socket of this.ctx.getWebSockets()) {
      const attachment = readAttachment(socket);
      if (socket.readyState !== WebSocket.OPEN || !attachment || attachment.thumbprint !== thumbprint)
        continue;
      const heard = this.ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? attachment.since;
      if (heard > silent) live.push({ socket, attachment });
    }
    return live;
  }

  #tell(event: NewEvent): void {
    if (event.type === "connector.refused" && !event.actor && !this.#mayTellRefusal()) return;
    this.#outbox.add({ ...event, connector: this.#name });
    this.ctx.waitUntil(this.#wake());
  }

  #mayTellRefusal(): boolean {
    const minute = Math.floor(Date.now() / 60_000);
    if (this.#refusals.minute !== minute) this.#refusals = { minute, count: 0 };
    this.#refusals.count += 1;
    return this.#refusals.count <= MAX_REFUSALS;
  }

  /** Events that D1 did not take are tried again by the alarm. */
  async #wake(): Promise<void> {
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + SILENT_MS);
  }

  /** Closes sockets that fell silent, and brings the events to D1. */
  override async alarm(): Promise<void> {
    const live = new Set(this.#live().map((one) => one.socket));
    for (const socket of this.ctx.getWebSockets()) {
      if (live.has(socket)) continue;
      closeSocket(socket, CLOSE_ENDED, "SILENT");
      this.#gone(socket, "it fell silent");
    }
    await this.#outbox.flush();
    if (live.size > 0 || !this.#outbox.empty) await this.ctx.storage.setAlarm(Date.now() + SILENT_MS);
  }
}

/** The session that a dial is for: a session of requests has several connections. */
function sessionOf(name: string): string {
  return readChannel(name)?.session ?? name;
}

function readAttachment(socket: WebSocket): Attachment | null {
  return (socket.deserializeAttachment() as Attachment | null) ?? null;
}

function no(status: number, code: string, message: string): Problem & { readonly ok: false } {
  return { ok: false, status, code, message, hint: "" };
}
