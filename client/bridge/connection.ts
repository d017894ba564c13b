/**
 * One connection of a local program: its start-up is read here (encryption is declined, the one-time password
 * checked, a CancelRequest recognised), then its bytes go to the edge as they are, within the credit of both
 * sides. The edge's gate speaks PostgreSQL with it from there on.
 */
import { timingSafeEqual } from "node:crypto";
import type { Socket } from "node:net";
import { errorResponse } from "../../wire/postgres/backend.ts";
import { Backend, Frontend, HEADER_SIZE } from "../../wire/postgres/messages.ts";
import { readStartupPacket, type StartupPacket } from "../../wire/postgres/startup.ts";
import { encodeControl, FramedSender, parseEdgeToClient, ReceiveWindow } from "../../wire/tunnel.ts";
import { CommandError, exit } from "../exit.ts";
import type { OpenDoor } from "./door.ts";

/** A program that has not said who it is by then is cut, milliseconds. */
const START_MS = 60_000;
/** Longest password message, bytes. */
const MAX_PASSWORD = 1024;
/** How long a local program may take to read the end, milliseconds. */
const LINGER_MS = 2_000;

export interface ConnectionHost {
  /** Null: whoever can reach the socket may use it. */
  readonly password: string | null;
  /** Opens a session at the edge. */
  open(): Promise<OpenDoor>;
  /** A CancelRequest with these keys. Resolves when the edge has answered; never rejects. */
  cancel(processId: number, secretKey: Uint8Array): Promise<void>;
  /** A password was wrong. Resolves when the answer may be given. */
  wrongPassword(): Promise<void>;
  /** Something for the person: where to approve. */
  say(text: string): void;
}

/** Serves one connection; resolves when it is over. Never rejects. */
export async function serveConnection(tcp: Socket, host: ConnectionHost): Promise<void> {
  const reader = new StartReader(tcp);
  tcp.on("error", () => tcp.destroy());
  const timer = setTimeout(() => tcp.destroy(), START_MS);
  try {
    const packet = await readStart(reader);
    if (packet === null) return;
    if (packet.kind === "cancel") {
      clearTimeout(timer);
      // The end of this connection tells the client that its request was delivered: what it sends next is not meant.
      await host.cancel(packet.processId, packet.secretKey);
      tcp.end();
      return;
    }
    if (host.password !== null && !(await checkPassword(reader, tcp, host))) return;
    clearTimeout(timer);
    const door = await host.open();
    await relay(tcp, door, [packet.bytes, reader.release()], host);
  } catch (error) {
    if (error instanceof StartError) sendError(tcp, "08P01", error.message);
    else if (error instanceof CommandError) refuse(tcp, error);
    else tcp.destroy();
  } finally {
    clearTimeout(timer);
  }
}

// --- start-up -------------------------------------------------------------------------------------------

class StartError extends Error {}

/** Reads a connection's first bytes piece by piece; what is left over goes on to the edge. */
class StartReader {
  readonly #tcp: Socket;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: (() => void) | null = null;
  readonly #onData = (chunk: Buffer): void => {
    this.#held = Buffer.concat([this.#held, chunk]);
    if (this.#held.length > 64 * 1024) this.#tcp.pause();
    this.#wake?.();
  };
  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  constructor(tcp: Socket) {
    this.#tcp = tcp;
    tcp.on("data", this.#onData);
    tcp.on("end", this.#onEnd);
    tcp.on("close", this.#onEnd);
  }

  get held(): Buffer {
    return this.#held;
  }

  take(size: number): Buffer {
    const bytes = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return bytes;
  }

  reply(text: string): void {
    this.#tcp.write(text);
  }

  /** Resolves when more has come; false at the end. */
  async more(): Promise<boolean> {
    if (this.#ended) return false;
    const before = this.#held.length;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
    return this.#held.length > before;
  }

  /** Stops reading and gives what is held. */
  release(): Buffer {
    this.#tcp.pause();
    this.#tcp.off("data", this.#onData);
    this.#tcp.off("end", this.#onEnd);
    this.#tcp.off("close", this.#onEnd);
    return this.#held;
  }
}

type Start =
  | { readonly kind: "startup"; readonly bytes: Buffer }
  | Extract<StartupPacket, { readonly kind: "cancel" }>;

/** The StartupMessage or CancelRequest; null when the program went away. */
async function readStart(reader: StartReader): Promise<Start | null> {
  for (;;) {
    const read = readStartupPacket(reader.held);
    if (!read.ok) throw new StartError(read.message);
    const { packet } = read;
    if (packet === null) {
      if (!(await reader.more())) return null;
      continue;
    }
    const bytes = reader.take(read.size);
    if (packet.kind === "cancel") return packet;
    if (packet.kind === "startup") return { kind: "startup", bytes };
    // What was sent behind the question before its answer cannot be meant for a clear channel (CVE-2021-3935).
    if (reader.held.length > 0) throw new StartError("received data after an encryption request");
    reader.reply("N");
  }
}

/** Asks for the password in clear, which stays on this machine. */
async function checkPassword(reader: StartReader, tcp: Socket, host: ConnectionHost): Promise<boolean> {
  tcp.write(Buffer.from([Backend.Authentication, 0, 0, 0, 8, 0, 0, 0, 3]));
  for (;;) {
    const { held } = reader;
    if (held.length >= HEADER_SIZE) {
      const size = 1 + held.readInt32BE(1);
      if (held[0] !== Frontend.Password || size < HEADER_SIZE + 1 || size > MAX_PASSWORD) {
        throw new StartError("expected a password");
      }
      if (held.length >= size) {
        const given = reader.take(size).subarray(HEADER_SIZE, size - 1);
        if (samePassword(given, host.password!)) return true;
        await host.wrongPassword();
        sendError(
          tcp,
          "28P01",
          "the password of this connection is wrong",
          "It is in the URL that wicket printed.",
        );
        return false;
      }
    }
    if (!(await reader.more())) return false;
  }
}

function samePassword(given: Uint8Array, password: string): boolean {
  const wanted = Buffer.from(password);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

// --- errors ---------------------------------------------------------------------------------------------

function sendError(tcp: Socket, sqlstate: string, message: string, hint?: string): void {
  const fields = { S: "FATAL", V: "FATAL", C: sqlstate, M: message, ...(hint ? { H: hint } : {}) };
  tcp.end(errorResponse(fields));
  setTimeout(() => tcp.destroy(), LINGER_MS).unref();
}

/** A refusal of the edge as PostgreSQL would say it. */
function refuse(tcp: Socket, { fault }: CommandError): void {
  const states: Record<number, string> = {
    [exit.login]: "28000",
    [exit.denied]: "42501",
    [exit.pending]: "42501",
    [exit.usage]: "3D000",
    [exit.unreachable]: "08006",
  };
  const why = [fault.code, ...(fault.rule ? [fault.rule] : [])].join(", ");
  sendError(tcp, states[fault.exit] ?? "08006", `${fault.message} (${why})`, fault.next);
}

// --- the stream -----------------------------------------------------------------------------------------

function relay(tcp: Socket, door: OpenDoor, first: readonly Buffer[], host: ConnectionHost): Promise<void> {
  const { socket } = door;
  const window = new ReceiveWindow();
  const send = (message: Uint8Array | string): void => {
    if (socket.readyState === socket.OPEN) socket.send(message);
  };
  const sender = new FramedSender(send);
  const drained = (bytes: number): void => {
    const credit = window.drained(bytes);
    if (credit > 0) send(encodeControl({ t: "credit", bytes: credit }));
  };
  const control = (text: string): void => {
    const parsed = parseEdgeToClient(text);
    if (!parsed.ok) {
      socket.close(4400, parsed.code);
      return;
    }
    const { message } = parsed;
    if (message.t === "credit") {
      if (!sender.grant(message.bytes)) socket.close(4400, "CREDIT_INVALID");
      else if (sender.queued === 0) tcp.resume();
    } else if (message.t === "eof" || message.t === "reset") tcp.end();
    else if (message.t === "hold") host.say(`waiting for approval: ${message.url}`);
    else if (message.t === "held") host.say(message.verdict === "allow" ? "approved" : "denied");
  };
  return new Promise((resolve) => {
    socket.on("close", () => {
      tcp.end();
      setTimeout(() => tcp.destroy(), LINGER_MS).unref();
      resolve();
    });
    socket.on("error", () => socket.terminate());
    tcp.on("data", (chunk) => {
      sender.data(chunk as Buffer);
      if (sender.queued > 0) tcp.pause();
    });
    tcp.on("end", () => sender.control(encodeControl({ t: "eof" })));
    tcp.on("close", () => {
      socket.close(1000);
      if (socket.readyState === socket.CLOSED) resolve();
    });
    for (const bytes of first) sender.data(bytes);
    door.listen((data, binary) => {
      if (!binary) control(data.toString());
      else if (window.received(data.length)) socket.close(4400, "CREDIT_EXCEEDED");
      else tcp.write(data, () => drained(data.length));
    });
    if (socket.readyState === socket.CLOSED) {
      tcp.destroy();
      resolve();
    }
    if (tcp.destroyed) socket.close(1000);
    else tcp.resume();
  });
}
