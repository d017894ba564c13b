/**
 * Opens a PostgreSQL server with the connector's own credential. TCP and TLS are done here, so that nothing is
 * ever sent in clear where TLS is asked for (attacks P1 and P2); the login (SCRAM and whatever else the server
 * asks for) is done by `pg`.
 */
import { readFileSync } from "node:fs";
import { isIP, type Socket, connect as tcpConnect } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import pg from "pg";
import type { DialFailure } from "../wire/control.ts";
import { cancelRequest, sslRequest } from "../wire/postgres/startup.ts";
import type { PostgresResource } from "./config.ts";
import { HandshakeStream, type TakenSocket } from "./handshake-stream.ts";

/** Everything up to the open session takes at most this long, milliseconds; the edge waits a little longer. */
const OPEN_MS = 10_000;

/** The target could not be opened: what may be told, and what only the connector's log is told. */
export class TargetError extends Error {
  override readonly name = "TargetError";
  readonly code: DialFailure;
  readonly detail: string;

  constructor(code: DialFailure, message: string, detail: string) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}

/** An open session that `pg` still holds. */
export interface OpenTarget {
  readonly client: pg.Client;
  /** Hands the socket over; `client` is of no use afterwards. */
  take(): TakenSocket;
  /** Closes it unused. */
  close(): void;
}

/**
 * Opens the server with these start-up parameters.
 * @param options the `options` field of the StartupMessage
 * @throws TargetError
 */
export async function openPostgres(
  resource: PostgresResource,
  options: string,
  applicationName: string,
): Promise<OpenTarget> {
  const socket = await openSocket(resource);
  const stream = new HandshakeStream(socket);
  let password = "";
  try {
    password = resource.password?.read() ?? "";
  } catch (error) {
    socket.destroy();
    throw new TargetError(
      "TARGET_REFUSED_LOGIN",
      "the connector's own password for the database cannot be read",
      String(error),
    );
  }
  const { host, port, user, database } = resource;
  const config = {
    ...{ host, port, user, database, options, ssl: false, application_name: applicationName },
    // A function, so that pg looks for no password of its own in files or in the environment.
    password: () => password,
    stream: () => stream as unknown as Socket,
    enableChannelBinding: true,
  };
  const client = new pg.Client(config as pg.ClientConfig);
  client.on("error", () => {});
  const timer = setTimeout(() => socket.destroy(new Error("the login took too long")), OPEN_MS);
  try {
    await client.connect();
  } catch (error) {
    socket.destroy();
    throw loginError(error);
  } finally {
    clearTimeout(timer);
  }
  return { client, take: () => stream.take(), close: () => socket.destroy() };
}

/** Sends CancelRequest with the server's own key. Nothing comes back, whether it worked or not. */
export async function cancelPostgres(
  resource: PostgresResource,
  key: { readonly processId: number; readonly secretKey: Uint8Array },
): Promise<void> {
  const socket = await openSocket(resource);
  socket.on("error", () => socket.destroy());
  socket.setTimeout(OPEN_MS, () => socket.destroy());
  socket.resume();
  socket.end(cancelRequest(key.processId, key.secretKey));
}

/** A connection, with TLS when the resource has it. Throws TargetError. */
export async function openSocket(resource: PostgresResource): Promise<Socket | TLSSocket> {
  const { host, port, tls } = resource;
  const socket = host.startsWith("/")
    ? tcpConnect({ path: `${host}/.s.PGSQL.${port}` })
    : tcpConnect({ host, port, noDelay: true, keepAlive: true });
  socket.setTimeout(OPEN_MS, () =>
    socket.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" })),
  );
  try {
    await once(socket, "connect");
    if (tls.mode === "off") return quiet(socket);
    socket.write(sslRequest());
    const answer = await firstBytes(socket);
    // One byte, and nothing that could have been put behind it before the encryption begins.
    if (answer.length !== 1 || answer[0] !== 0x53) {
      throw new TargetError(
        "TARGET_TLS",
        "the database does not offer TLS",
        `answered 0x${answer.toString("hex")}`,
      );
    }
  } catch (error) {
    socket.destroy();
    if (error instanceof TargetError) throw error;
    const { code = "error" } = error as NodeJS.ErrnoException;
    throw new TargetError("TARGET_UNREACHABLE", `the database cannot be reached (${code})`, String(error));
  }
  try {
    const name = tls.name ?? host;
    const secure = tlsConnect({
      ...{ socket, ALPNProtocols: ["postgresql"], rejectUnauthorized: true, host: name },
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(tls.ca === null ? {} : { ca: readFileSync(tls.ca) }),
      ...(tls.cert === null ? {} : { cert: readFileSync(tls.cert) }),
      ...(tls.key === null ? {} : { key: readFileSync(tls.key) }),
    });
    await once(secure, "secureConnect");
    return quiet(secure);
  } catch (error) {
    socket.destroy();
    const { code = "error" } = error as NodeJS.ErrnoException;
    throw new TargetError("TARGET_TLS", `the database's TLS is not accepted (${code})`, String(error));
  }
}

function quiet<S extends Socket>(socket: S): S {
  socket.setTimeout(0);
  socket.removeAllListeners("timeout");
  return socket;
}

function once(socket: Socket, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.off("error", failed);
      socket.off("close", closed);
      resolve();
    };
    const failed = (error: Error): void => reject(error);
    const closed = (): void => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
    socket.once(event, done);
    socket.once("error", failed);
    socket.once("close", closed);
  });
}

function firstBytes(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" }));
    socket.once("data", (bytes) => {
      socket.pause();
      socket.off("close", closed);
      resolve(bytes as Buffer);
    });
    socket.once("error", reject);
    socket.once("close", closed);
  });
}

/** What pg said, by SQLSTATE (PostgreSQL documentation, appendix A). */
function loginError(error: unknown): TargetError {
  const { code, message } = error as { code?: string; message?: string };
  const detail = message ?? String(error);
  if (code === undefined || !/^[0-9A-Z]{5}$/.test(code)) {
    return new TargetError("TARGET_UNREACHABLE", "the database broke the login off", detail);
  }
  const why: Readonly<Record<string, string>> = {
    "28P01": "the password is not accepted",
    "28000": "the login is not allowed",
    "3D000": "the database does not exist",
    "53300": "it has too many connections",
    "57P03": "it is starting up or shutting down",
    "42501": "the login may not connect",
  };
  const unreachable = code === "53300" || code === "57P03";
  return new TargetError(
    unreachable ? "TARGET_UNREACHABLE" : "TARGET_REFUSED_LOGIN",
    `the database refused the connector's login: ${why[code] ?? "see the connector's log"} (${code})`,
    detail,
  );
}
