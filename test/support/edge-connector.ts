/** A connector for tests of the edge: it speaks the protocol and does what the test tells it to. */
import { connect, type Socket } from "node:net";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import pg from "pg";
import WebSocket from "ws";
import { buildCatalog, type CatalogRow, catalogQueries } from "../../policies/postgres/catalog.ts";
import { encodeOptions, tokenPads } from "../../policies/postgres/pins.ts";
import { concat } from "../../wire/bytes.ts";
import { type Dial, encodeConnectorControl, parseEdgeControl } from "../../wire/control.ts";
import { decodeParameterStatus } from "../../wire/postgres/backend.ts";
import { Backend } from "../../wire/postgres/messages.ts";
import { cancelRequest, startupMessage } from "../../wire/postgres/startup.ts";
import { type RecordingEntry, SegmentWriter } from "../../wire/recording.ts";
import {
  CONNECTOR_SUBPROTOCOL,
  type EdgeToConnector,
  encodeControl,
  FramedSender,
  parseEdgeToConnector,
  ReceiveWindow,
  recordLines,
  splitFrame,
} from "../../wire/tunnel.ts";
import type { EdgeLab } from "./edge-lab.ts";

/** What a test connector does with a dial. */
export type DialHandler = (dial: Dial, connector: TestConnector) => void;

export class TestConnector {
  readonly name: string;
  readonly origin: string;
  readonly dials: Dial[] = [];
  readonly kills: string[] = [];
  onDial: DialHandler = () => {};
  control: WebSocket | null = null;
  readonly #privateKey: CryptoKey;
  readonly publicKey: JWK;

  private constructor(name: string, origin: string, privateKey: CryptoKey, publicKey: JWK) {
    this.name = name;
    this.origin = origin;
    this.#privateKey = privateKey;
    this.publicKey = publicKey;
  }

  /** A connector with a new key, not enrolled. */
  static async create(name: string, origin: string): Promise<TestConnector> {
    const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
    return new TestConnector(name, origin, pair.privateKey, await exportJWK(pair.publicKey));
  }

  /** Enrols it with a code that an administrator asked for. */
  async enrol(lab: EdgeLab, replace = false): Promise<{ status: number; code: string }> {
    const asked = await lab.call("ada", "POST", `/api/connectors/${this.name}/enrolment`, { replace });
    if (asked.status !== 201) throw new Error(JSON.stringify(asked.body));
    const { code } = asked.body as { code: string };
    return { status: (await this.spend(code)).status, code };
  }

  /** Spends an enrolment code. */
  spend(code: string): Promise<Response> {
    return fetch(`${this.origin}/connector/enroll`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, name: this.name, publicKey: this.publicKey }),
    });
  }

  token(
    claims: { jti?: string; aud?: string; iss?: string; seconds?: number; typ?: string } = {},
  ): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({})
      .setProtectedHeader({ alg: "EdDSA", typ: claims.typ ?? "wicket-connector+jwt" })
      .setIssuer(claims.iss ?? this.name)
      .setAudience(claims.aud ?? this.origin)
      .setIssuedAt(now)
      .setExpirationTime(now + (claims.seconds ?? 60))
      .setJti(claims.jti ?? crypto.randomUUID())
      .sign(this.#privateKey);
  }

  /** A WebSocket to the edge with the connector's token. */
  async dialEdge(path: string, headers: Record<string, string> = {}, token?: string): Promise<WebSocket> {
    return new WebSocket(this.origin.replace("http", "ws") + path, [CONNECTOR_SUBPROTOCOL], {
      headers: { authorization: `Bearer ${token ?? (await this.token())}`, ...headers },
      perMessageDeflate: false,
      closeTimeout: 500,
    } as WebSocket.ClientOptions);
  }

  /** Opens the control socket and says hello; resolves when the edge knows. */
  async online(lab: EdgeLab, resources = ["orders-db"]): Promise<void> {
    const socket = await this.dialEdge("/connector/control");
    this.control = socket;
    socket.on("message", (data) => {
      const parsed = parseEdgeControl(String(data));
      if (!parsed.ok) return;
      const { message } = parsed;
      if (message.t === "dial") {
        this.dials.push(message);
        this.onDial(message, this);
      } else if (message.t === "kill") this.kills.push(message.session);
    });
    await opened(socket);
    const heartbeat = setInterval(() => socket.send("ping"), 15_000);
    socket.on("close", () => clearInterval(heartbeat));
    socket.send(encodeConnectorControl({ v: 1, t: "hello", name: this.name, version: "test", resources }));
    await lab.until(async () => {
      const { body } = await lab.call("ada", "GET", "/api/connectors");
      return body.connectors.find((one: { name: string; online: boolean }) => one.name === this.name)?.online;
    }, `${this.name} online`);
  }

  fail(session: string, code: string, message: string): void {
    this.control?.send(encodeConnectorControl({ v: 1, t: "dial_failed", session, code, message }));
  }

  close(): void {
    this.control?.close();
  }
}

/** Resolves when the socket is open; rejects with the HTTP status and body of a refusal. */
export function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", () => resolve());
    socket.once("error", reject);
    socket.once("unexpected-response", (_request, response) => {
      let text = "";
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => reject(new RefusedUpgrade(response.statusCode ?? 0, text)));
    });
  });
}

/** The edge refused an upgrade. */
export class RefusedUpgrade extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, body: string) {
    super(`${status} ${body}`);
    this.status = status;
    let code = "";
    try {
      code = (JSON.parse(body) as { code: string }).code;
    } catch {
      // Not one of the edge's own answers.
    }
    this.code = code;
  }
}

const TOKEN_KEY = new TextEncoder().encode("a token key of tests, 32 bytes!!");

/** Sessions of a connector to a real server; records them as the real one does. */
export class PostgresTarget {
  readonly #port: number;
  readonly #database: string;
  #catalogs = new Map<string, Promise<object>>();
  /** Entries by session, in order. */
  readonly recordings = new Map<string, RecordingEntry[]>();
  readonly sockets = new Set<WebSocket>();

  constructor(port: number, database: string) {
    this.#port = port;
    this.#database = database;
  }

  /** For `TestConnector.onDial`. */
  readonly serve: DialHandler = (dial, connector) => {
    this.#open(dial, connector).catch((error: Error) => {
      connector.fail(dial.session, "TARGET_UNREACHABLE", error.message.slice(0, 200));
    });
  };

  async #open(dial: Dial, connector: TestConnector): Promise<void> {
    const target = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve, reject) => {
      target.once("connect", () => resolve());
      target.once("error", reject);
    });
    target.on("error", () => {});
    const [login, catalog] = await Promise.all([this.#login(target, dial), this.#catalog(dial)]);
    const socket = await connector.dialEdge(dial.url, { "wicket-ticket": dial.ticket });
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.binaryType = "nodebuffer";
    await opened(socket);
    this.#relay(dial.session, socket, target, login.key);
    socket.send(
      encodeControl({
        t: "opened",
        parameters: login.parameters,
        serverVersion: 180000,
        catalog: catalog as never,
      }),
    );
  }

  #relay(
    session: string,
    socket: WebSocket,
    target: Socket,
    key: { processId: number; secretKey: Uint8Array },
  ): void {
    const entries: RecordingEntry[] = [];
    this.recordings.set(session, entries);
    const window = new ReceiveWindow();
    const sender = new FramedSender((message) => {
      if (typeof message !== "string")
        entries.push({ kind: "backend", at: Date.now(), bytes: message.slice() });
      if (socket.readyState === WebSocket.OPEN) socket.send(message);
    });
    const control = (message: EdgeToConnector): void => {
      if (message.t === "credit") {
        sender.grant(message.bytes);
        if (sender.queued < 64 * 1024) target.resume();
      } else if (message.t === "eof") target.end();
      else if (message.t === "reset") {
        // A server that computes does not notice that its client is gone.
        connect(this.#port, "127.0.0.1").end(cancelRequest(key.processId, key.secretKey));
        target.destroy();
      } else if (message.t === "cancel") {
        connect(this.#port, "127.0.0.1").end(cancelRequest(key.processId, key.secretKey));
      }
    };
    socket.on("message", (data: Buffer, binary: boolean) => {
      if (!binary) {
        const records = recordLines(data);
        if (records) {
          for (const bytes of records) entries.push({ kind: "event", at: Date.now(), bytes });
          return;
        }
        const parsed = parseEdgeToConnector(data.toString());
        if (!parsed.ok) return socket.terminate();
        if (parsed.message.t === "record") entries.push({ kind: "event", at: Date.now(), bytes: data });
        control(parsed.message);
        return;
      }
      const frame = splitFrame(data);
      if (!frame) return socket.terminate();
      const bytes = frame.data;
      for (const record of frame.records) entries.push({ kind: "event", at: Date.now(), bytes: record });
      if (window.received(bytes.length)) return socket.terminate();
      entries.push({ kind: "frontend", at: Date.now(), bytes });
      target.write(bytes, () => {
        const credit = window.drained(bytes.length);
        if (credit > 0 && socket.readyState === WebSocket.OPEN)
          socket.send(encodeControl({ t: "credit", bytes: credit }));
      });
    });
    target.on("data", (bytes) => {
      sender.data(new Uint8Array(bytes as Buffer));
      if (sender.queued > 256 * 1024) target.pause();
    });
    target.resume();
    target.on("end", () => sender.control(encodeControl({ t: "eof" })));
    target.on("close", () => sender.control(encodeControl({ t: "eof" })));
    socket.on("close", () => target.destroy());
    socket.on("error", () => target.destroy());
  }

  async #catalog(dial: Dial): Promise<object> {
    let catalog = this.#catalogs.get(dial.task.digest);
    if (!catalog) {
      catalog = this.#readCatalog(dial);
      this.#catalogs.set(dial.task.digest, catalog);
    }
    return catalog;
  }

  async #readCatalog(dial: Dial): Promise<object> {
    const client = new pg.Client({
      host: "127.0.0.1",
      port: this.#port,
      user: "postgres",
      database: this.#database,
    });
    await client.connect();
    try {
      const rows: Record<string, readonly CatalogRow[]> = {};
      for (const { name, text, values } of catalogQueries(dial.task.relations, dial.task.functions)) {
        rows[name] = (await client.query<Record<string, unknown>>(text, [...values])).rows;
      }
      return buildCatalog(rows);
    } finally {
      await client.end();
    }
  }

  #login(
    target: Socket,
    dial: Dial,
  ): Promise<{ parameters: Record<string, string>; key: { processId: number; secretKey: Uint8Array } }> {
    const options = encodeOptions({ ...dial.options, ...tokenPads(TOKEN_KEY) });
    target.write(startupMessage({ user: "postgres", database: this.#database, options, ...dial.user }));
    return new Promise((resolve, reject) => {
      let bytes: Uint8Array = new Uint8Array(0);
      const take = (chunk: Buffer): void => {
        bytes = concat([bytes, new Uint8Array(chunk)]);
        const login = readLogin(bytes);
        if (login === null) return;
        target.off("data", take);
        target.pause();
        if (login === "refused") reject(new Error("login refused"));
        else resolve(login);
      };
      target.on("data", take);
      target.once("close", () => reject(new Error("closed")));
    });
  }
}

/** What a server says from AuthenticationOk to ReadyForQuery; null while that is not complete. */
function readLogin(
  bytes: Uint8Array,
):
  | { parameters: Record<string, string>; key: { processId: number; secretKey: Uint8Array } }
  | "refused"
  | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parameters: Record<string, string> = {};
  let key = { processId: 0, secretKey: new Uint8Array(0) };
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + view.getUint32(at + 1);
    if (end > bytes.length) return null;
    const type = bytes[at]!;
    if (type === Backend.ErrorResponse) return "refused";
    if (type === Backend.ParameterStatus) {
      const status = decodeParameterStatus(bytes, at + 5, end);
      if (status) parameters[status.name] = status.value;
    } else if (type === Backend.BackendKeyData) {
      key = { processId: view.getInt32(at + 5), secretKey: bytes.slice(at + 9, end) };
    } else if (type === Backend.ReadyForQuery) return { parameters, key };
    at = end;
  }
  return null;
}

/** All segments of a recording, the last one with the session's end. */
export function segmentsOf(session: string, entries: readonly RecordingEntry[], reason = "ENDED") {
  const writer = new SegmentWriter(session);
  const sealed = [];
  for (const entry of entries) {
    const full = writer.add(entry);
    if (full) sealed.push(full);
  }
  sealed.push(writer.seal(Date.now(), { reason }));
  return sealed;
}
