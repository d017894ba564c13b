/** The connector: it waits for the edge to ask, opens its own targets with its own credentials, and records. */

import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { NamedConstraints } from "../policies/postgres/constraints.ts";
import { encodeOptions, tokenPads } from "../policies/postgres/pins.ts";
import type { Dial, DialFailure } from "../wire/control.ts";
import { CONNECTOR_SUBPROTOCOL } from "../wire/tunnel.ts";
import { CatalogReader } from "./catalog-reader.ts";
import type { ConnectorConfig, ConnectorResource, HttpResource, PostgresResource } from "./config.ts";
import { ControlChannel } from "./control-channel.ts";
import { dialFault } from "./dial-guard.ts";
import { EdgeRefusal, edgeSocket, type OpenSocket, openedEarly } from "./edge-socket.ts";
import { explainStatement } from "./explain.ts";
import { RequestServer } from "./http-requests.ts";
import { openHttpTarget } from "./http-target.ts";
import { type ConnectorIdentity, openTokenKey } from "./identity.ts";
import type { Log } from "./log.ts";
import { PostgresSession } from "./postgres-session.ts";
import { cancelPostgres, type OpenTarget, openPostgres, TargetError } from "./postgres-target.ts";
import { RecordingServer, RequestRecording } from "./request-recording.ts";
import type { Sealing } from "./sealing.ts";
import type { SessionRecording } from "./session-recording.ts";
import { Spool } from "./spool.ts";
import { Uploader } from "./uploader.ts";

/** Dials that are remembered, so that none is followed twice. */
const REMEMBERED = 10_000;
/** How often recordings are tried again that the disk did not take, milliseconds. */
const FINISH_MS = 10_000;
/** How often the fill of the spool is looked at, milliseconds. */
const STATUS_MS = 2_000;
/** From this part of its bound on the spool is nearly full: somebody should look before it is. */
const NEARLY_FULL = 0.75;
/** Time for the last segments after the sessions ended, milliseconds. */
const UPLOAD_MS = 10_000;

/** A session or request channel that runs. */
interface Running {
  kill(code: string): void;
}

/** What is counted since the start. */
export interface ConnectorCounts {
  dials: number;
  readonly dialFailures: Record<string, number>;
  sessions: number;
  bytesIn: number;
  bytesOut: number;
}

export class Connector {
  readonly config: ConnectorConfig;
  readonly spool: Spool;
  readonly uploader: Uploader;
  readonly counts: ConnectorCounts = { dials: 0, dialFailures: {}, sessions: 0, bytesIn: 0, bytesOut: 0 };
  readonly #identity: ConnectorIdentity;
  readonly #log: Log;
  readonly #sealing: Sealing | null;
  readonly #control: ControlChannel;
  readonly #resources = new Map<string, ConnectorResource>();
  readonly #catalogs = new CatalogReader();
  readonly #running = new Map<string, Running>();
  /** Recordings of sessions of requests. */
  readonly #requests = new Map<string, RequestRecording>();
  readonly #seen = new Set<string>();
  /** Resources whose login was looked at. */
  readonly #inspected = new Set<string>();
  #draining = false;
  /** What the edge was last told of the spool; null on a new connection. */
  #told: string | null = null;
  #finishing: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** What the log was last told of the spool. */
  #fill = "room";
  #wake: (() => void) | null = null;
  /** Told when the edge does not know this connector. */
  onExpelled: (code: string) => void = () => {};
  onOnline: (online: boolean) => void = () => {};

  constructor(
    config: ConnectorConfig,
    identity: ConnectorIdentity,
    version: string,
    log: Log,
    sealing: Sealing | null = null,
  ) {
    this.config = config;
    this.#sealing = sealing;
    this.#identity = identity;
    this.#log = log;
    for (const resource of config.resources) this.#resources.set(resource.name, resource);
    this.spool = new Spool({
      ...{ folder: join(config.state, "spool"), max: config.spoolMax, log },
      onSegment: (session) => this.uploader.kick(session),
    });
    this.uploader = new Uploader(config.edge, identity, this.spool, log);
    this.#control = new ControlChannel({
      ...{ edge: config.edge, identity, version, log, resources: [...this.#resources.keys()] },
      seals: sealing !== null,
      handlers: {
        dial: (dial) => this.#dial(dial),
        kill: (session) => {
          this.#running.get(session)?.kill("SESSION_KILLED");
          this.#endRequests(session, "SESSION_KILLED");
        },
        online: (online) => {
          this.onOnline(online);
          this.#told = null;
          if (online) this.#tellStatus();
        },
        expelled: (code) => this.onExpelled(code),
      },
    });
  }

  get online(): boolean {
    return this.#control.online;
  }

  get reconnects(): number {
    return this.#control.reconnects;
  }

  get sessions(): number {
    return this.#running.size;
  }

  /** Takes up what an earlier run left, and connects. */
  start(): void {
    this.spool.recover();
    this.#finishing = setInterval(() => {
      this.spool.finish();
    }, FINISH_MS);
    this.#finishing.unref();
    this.#looking = setInterval(() => this.#tellStatus(), STATUS_MS);
    this.#looking.unref();
    this.#control.start();
  }

  /**
   * Tells the edge how full the spool is, when that changed by a twentieth of its bound or nothing waits any more; and
   * the log, when it fills.
   */
  #tellStatus(): void {
    const { used, max, sessions, full } = this.spool;
    const fill = full ? "full" : used > max * NEARLY_FULL ? "nearly full" : "room";
    if (fill !== this.#fill) {
      const words = fill === "full" ? "spool full: no new session begins" : `spool ${fill}`;
      this.#log(fill === "room" ? "info" : "warn", words, { used, max, sessions: sessions.length });
      this.#fill = fill;
    }
    const refused = this.#setAside();
    const step = `${Math.ceil((20 * used) / max)} ${refused} ${sessions.length === 0}`;
    if (!this.online || step === this.#told) return;
    this.#told = step;
    this.#control.send({ v: 1, t: "status", spool: { used, max, sessions: sessions.length, refused } });
  }

  /** Recordings that the edge refused for good, also before this process began: they wait for somebody to look. */
  #setAside(): number {
    try {
      return readdirSync(this.spool.folderOf("refused")).length;
    } catch {
      return 0;
    }
  }

  /** Takes no new session, lets those that run go on for `ms`, then ends everything and uploads the rest. */
  async stop(ms: number): Promise<void> {
    this.#draining = true;
    if (this.#running.size > 0 && ms > 0) {
      this.#log("info", "draining", { sessions: this.#running.size, ms });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const one of this.#running.values()) one.kill("CONNECTOR_DRAINING");
    if (this.#running.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 2000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    if (this.#control.online && !(await this.uploader.settle(UPLOAD_MS))) {
      this.#log("warn", "recordings left in the spool", { sessions: this.spool.sessions.length });
    }
    clearInterval(this.#finishing);
    clearInterval(this.#looking);
    await this.uploader.stop();
    await this.#control.stop();
  }

  // --- dials --------------------------------------------------------------------------------------------

  #dial(dial: Dial): void {
    const { session } = dial;
    const log = this.#log.with({ session, resource: dial.resource, task: dial.task.name });
    this.counts.dials += 1;
    if (this.#seen.has(session)) {
      log("error", "dial repeated", {});
      return;
    }
    this.#seen.add(session);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    const resource = this.#resources.get(dial.resource);
    const refuse = (code: DialFailure, message: string): void => {
      this.counts.dialFailures[code] = (this.counts.dialFailures[code] ?? 0) + 1;
      this.#control.send({ v: 1, t: "dial_failed", session, code, message });
    };
    if (this.#draining) {
      refuse("DRAINING", "the connector is shutting down");
      return;
    }
    if (!resource) {
      refuse("RESOURCE_UNKNOWN", "the connector has no such resource");
      return;
    }
    const work =
      resource.type === "postgres"
        ? this.#openPostgres(dial, resource, log)
        : this.#openRequests(dial, resource, log);
    work.catch((error: unknown) => {
      this.#running.delete(session);
      if (error instanceof TargetError) {
        log("error", "target not opened", { code: error.code, error: error.message, detail: error.detail });
        refuse(error.code, error.message);
      } else if (error instanceof EdgeRefusal) {
        log("error", "edge refused the session", { code: error.code, error: error.message });
      } else {
        log("error", "session not opened", { error });
        refuse("TARGET_UNREACHABLE", "the connector failed to open the session");
      }
    });
  }

  async #openPostgres(dial: Dial, resource: PostgresResource, log: Log): Promise<void> {
    const { session, task } = dial;
    const fault = dialFault(dial, Date.now());
    if (fault)
      throw new TargetError("TARGET_PREFLIGHT", `the connector does not follow this dial: ${fault}`, "");
    if (this.spool.full) throw new TargetError("SPOOL_FULL", "the connector has no room for recordings", "");
    const options = encodeOptions({ ...dial.options, ...tokenPads(this.#tokenKey(resource)) });
    const target = await openPostgres(resource, options, dial.user.application_name ?? `wicket/${session}`);
    let recording: SessionRecording | null = null;
    try {
      await this.#inspect(target, resource, log);
      const catalog = await this.#catalogs
        .read(target.client as pg.Client, resource.name, task)
        .catch((error: unknown) => {
          throw new TargetError("CATALOG_FAILED", "the database's catalog cannot be read", String(error));
        });
      const { level, onFailure, durability } = dial.recording;
      const auditors = this.#auditorsOf(dial);
      try {
        recording = this.spool.begin(session, level, durability === "strict", auditors);
        const facts = { resource: resource.name, task: task.name, digest: task.digest };
        recording.note({ t: "opened", ...facts, serverVersion: catalog.serverVersion, at: Date.now() });
        recording.flush();
      } catch (error) {
        throw new TargetError("SPOOL_FULL", "the connector cannot write recordings", String(error));
      }
      const edge = await this.#dialBack(dial);
      const taken = target.take();
      const running = new PostgresSession({
        ...{
          session,
          task: task.name,
          listen: task.listen ?? [],
          constraints: new NamedConstraints(
            catalog,
            ({ schema, name }) =>
              task.relations.find((one) => one.schema === schema && one.name === name)?.shows ?? null,
          ),
          target: taken,
          edge,
          recording,
          onFailure,
          deadline: dial.deadline,
        },
        cancel: () => {
          if (!taken.key) return;
          cancelPostgres(resource, taken.key).catch((error: unknown) =>
            log("warn", "cancel not delivered", { error }),
          );
        },
        explain: (ask) => explainStatement(resource, options, `wicket-plan/${session}`, ask),
        unrecorded: (message) => log("error", "session goes on unrecorded", { error: message }),
        ended: (reason) => {
          this.counts.bytesIn += running.bytesIn;
          this.counts.bytesOut += running.bytesOut;
          log("info", "session ended", { reason, bytes_in: running.bytesIn, bytes_out: running.bytesOut });
          this.#gone(session);
        },
      });
      this.counts.sessions += 1;
      this.#running.set(session, running);
      log("info", "session opened", {});
      running.start({ parameters: taken.parameters, serverVersion: catalog.serverVersion, catalog });
    } catch (error) {
      target.close();
      recording?.close("NOT_OPENED");
      throw error;
    }
  }

  async #openRequests(dial: Dial, resource: HttpResource, log: Log): Promise<void> {
    const found = openHttpTarget(resource.source);
    if (!found.ok)
      throw new TargetError("TARGET_UNREACHABLE", "the target is not set up at the connector", found.message);
    const name = /^(.+)\.(\d+)$/.exec(dial.session);
    if (!name || dial.deadline <= Date.now())
      throw new TargetError("TARGET_PREFLIGHT", "the connector does not follow this dial", "");
    const session = name[1]!;
    const first = name[2] === "0";
    const recording = first ? this.#recordRequests(dial, session) : this.#requests.get(session);
    if (!recording)
      throw new TargetError("TARGET_PREFLIGHT", "the connector has no recording of this session", "");
    const { socket, listen } = await this.#dialBack(dial).catch((error: unknown) => {
      if (first) this.#endRequests(session, "NOT_OPENED");
      throw error;
    });
    const end = {
      send: (message: Uint8Array | string) => socket.send(message),
      close: (code: number, reason: string) => socket.close(code, reason),
    };
    const server = first
      ? new RecordingServer(end, recording)
      : new RequestServer(end, found.target, recording);
    this.#running.set(dial.session, {
      kill: (code) => {
        server.close();
        socket.close(1000, code);
      },
    });
    listen((data, binary) => server.message(binary ? data : data.toString()));
    socket.on("error", () => socket.terminate());
    socket.on("close", (_code, reason) => {
      server.close();
      if (first) this.#endRequests(session, /^[A-Z][A-Z0-9_]*$/.exec(reason.toString())?.[0] ?? "EDGE_LOST");
      this.#gone(dial.session);
    });
    log(first ? "info" : "debug", first ? "session opened" : "channel opened", {});
  }

  /** Whom the recording is sealed to; nobody = it is not. A task that wants it sealed gets nothing else. */
  #auditorsOf({ recording }: Dial) {
    const sealing = this.#sealing;
    if (recording.sealed && !sealing)
      throw new TargetError("SEALING_UNAVAILABLE", "the connector has no auditors' keys to seal with", "");
    return sealing && (recording.sealed || sealing.always) ? sealing.auditors : [];
  }

  #recordRequests(dial: Dial, session: string): RequestRecording {
    if (this.spool.full) throw new TargetError("SPOOL_FULL", "the connector has no room for recordings", "");
    const { level, onFailure, durability } = dial.recording;
    const auditors = this.#auditorsOf(dial);
    try {
      const recording = this.spool.begin(session, level, durability === "strict", auditors);
      const { name: task, digest } = dial.task;
      recording.note({ t: "opened", resource: dial.resource, task, digest, at: Date.now() });
      recording.flush();
      const made = new RequestRecording(recording, onFailure);
      recording.onFailure = () => {
        if (onFailure === "terminate") this.#endRequests(session, "RECORDING_FAILED");
      };
      this.#requests.set(session, made);
      this.counts.sessions += 1;
      return made;
    } catch (error) {
      throw new TargetError("SPOOL_FULL", "the connector cannot write recordings", String(error));
    }
  }

  /** A session's first connection is over, and with it the session: nothing of it goes on unrecorded. */
  #endRequests(session: string, reason: string): void {
    this.#requests.get(session)?.close(reason);
    this.#requests.delete(session);
    for (const [name, one] of this.#running) if (name.startsWith(`${session}.`)) one.kill(reason);
  }

  async #dialBack(dial: Dial): Promise<OpenSocket> {
    const headers = {
      authorization: `Bearer ${await this.#identity.token()}`,
      "wicket-ticket": dial.ticket,
    };
    return openedEarly(edgeSocket(this.config.edge, dial.url, CONNECTOR_SUBPROTOCOL, headers));
  }

  #gone(session: string): void {
    this.#running.delete(session);
    if (this.#running.size === 0) this.#wake?.();
  }

  #tokenKey(resource: PostgresResource): Uint8Array {
    if (!resource.tokenKey) return openTokenKey(this.config.state);
    const text = resource.tokenKey.read();
    if (text.length < 16)
      throw new TargetError("TARGET_PREFLIGHT", "the connector's token key is too short", "");
    return new Uint8Array(createHash("sha256").update(text).digest());
  }

  /** A login that may do more than a task ever needs is said once, loudly: the gate is then the only wall. */
  async #inspect(target: OpenTarget, resource: PostgresResource, log: Log): Promise<void> {
    if (this.#inspected.has(resource.name)) return;
    this.#inspected.add(resource.name);
    const { rows } = await target.client.query<{ superuser: boolean; bypass: boolean; owns: string }>(
      `SELECT r.rolsuper AS superuser, r.rolbypassrls AS bypass,
              (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')) AS owns
         FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`,
    );
    const found = rows[0];
    if (!found) return;
    const { superuser, bypass } = found;
    if (superuser || bypass || Number(found.owns) > 0) {
      log("warn", "the login of the connector may do more than it needs", {
        ...{ login: resource.user, superuser, bypass_rls: bypass, owned_tables: Number(found.owns) },
      });
    }
  }
}
