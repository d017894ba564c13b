/** Starts the doors in workerd over https, with real connector code behind them, for end-to-end tests. */

import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import WebSocket from "ws";
import type { Task } from "../../policies/task.ts";
import {
  type HttpTarget,
  type Kept,
  RequestServer,
  type RequestSocket,
} from "../../tunnel-connector/http-requests.ts";
import { RecordingServer, RequestRecording } from "../../tunnel-connector/request-recording.ts";
import { makeCertificates } from "../../wire/certificate.ts";
import { type Piece, readPiece } from "../../wire/pieces.ts";

export interface Door {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  readonly ca: string;
  readonly token: string;
  /** Messages that reached the connectors' recordings, as they came. */
  readonly recorded: (Uint8Array | string)[];
  /** Those that are facts. */
  facts(): Record<string, unknown>[];
  /** Those that are pieces of what passed. */
  pieces(): Piece[];
  /** Calls a path of the door's own (events, revoke). */
  call(path: string): Promise<unknown>;
  close(): Promise<void>;
}

const sockets = 6;

/** One session object for each task; `targets` by task name. */
export async function startDoor(
  tasks: Record<string, Task>,
  targets: Record<string, HttpTarget>,
): Promise<Door> {
  const made = await makeCertificates(["localhost", "127.0.0.1"], Date.now());
  const bundled = await build({
    entryPoints: [join(import.meta.dirname, "door-worker.ts")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["cloudflare:*", "node:*"],
    conditions: ["workerd", "worker", "browser"],
  });
  const token = crypto.randomUUID();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "door.js", contents: bundled.outputFiles[0]!.text }],
      compatibilityDate: "2026-11-17",
      compatibilityFlags: ["nodejs_compat", "request_signal_passthrough"],
      durableObjects: { SESSION: { className: "DoorSession", useSQLite: true } },
      bindings: { TASKS: tasks, TOKEN: token },
      httpsKey: made.key,
      httpsCert: made.certificate,
      host: "127.0.0.1",
      port: 0,
    } as never),
  );
  const ready = await miniflare.ready;
  const url = `https://127.0.0.1:${ready.port}`;
  const recorded: (Uint8Array | string)[] = [];
  const recordings = new Map<string, RequestRecording>();
  let closed = false;
  const open = new Set<WebSocket>();

  const connect = (name: string, target: HttpTarget | null): Promise<void> =>
    new Promise((resolve, reject) => {
      const room = target === null ? "recording" : "connector";
      const socket = new WebSocket(`${url.replace("https", "wss")}/${room}/${name}`, {
        ca: made.authority,
        headers: { authorization: `Bearer ${token}` },
        perMessageDeflate: false,
        closeTimeout: 500,
      } as WebSocket.ClientOptions);
      socket.binaryType = "nodebuffer";
      open.add(socket);
      const end: RequestSocket = {
        send: (message) => {
          if (socket.readyState === WebSocket.OPEN) socket.send(message);
        },
        close: (code, reason) => socket.close(code, reason),
      };
      const server =
        target === null
          ? new RecordingServer(end, recordings.get(name)!)
          : new RequestServer(end, target, anyTime(recordings.get(name)!));
      socket.on("open", () => resolve());
      socket.on("message", (data: Buffer, binary: boolean) =>
        server.message(binary ? data : data.toString()),
      );
      socket.on("error", (error) => reject(error));
      socket.on("close", () => {
        open.delete(socket);
        server.close();
        // A used-up socket is replaced, as the connector dials again for each session.
        if (!closed) connect(name, target).catch(() => {});
      });
    });
  for (const [name, target] of Object.entries(targets)) {
    recordings.set(name, recordingInto(recorded));
    await connect(name, null);
    await Promise.all(Array.from({ length: sockets }, () => connect(name, target)));
  }
  const { request } = await import("node:https");
  return {
    url,
    ca: made.authority,
    token,
    recorded,
    facts: () =>
      recorded.flatMap((message) => (typeof message === "string" ? [JSON.parse(message).event] : [])),
    pieces: () =>
      recorded.flatMap((message) => (typeof message === "string" ? [] : (readPiece(message) ?? []))),
    call: (path) =>
      new Promise((resolve, reject) => {
        const call = request(
          url + path,
          { ca: made.authority, headers: { authorization: `Bearer ${token}` } },
          (response) => {
            let text = "";
            response.on("data", (chunk) => {
              text += chunk;
            });
            response.on("end", () => resolve(text === "" ? null : JSON.parse(text)));
          },
        );
        call.on("error", reject);
        call.end();
      }),
    close: async () => {
      closed = true;
      for (const socket of open) socket.terminate();
      await miniflare.dispose();
    },
  };
}

/** A recording that keeps its entries in memory. */
function recordingInto(entries: (Uint8Array | string)[]): RequestRecording {
  const recording = {
    add: (_kind: string, bytes: Uint8Array) => void entries.push(new TextDecoder().decode(bytes)),
    piece: (bytes: Uint8Array) => void entries.push(bytes),
    flush: () => {},
    close: () => {},
  };
  return new RequestRecording(recording, "terminate");
}

/** The doors say how many entries must be there; only the whole system waits for them. */
function anyTime(recording: RequestRecording): Kept {
  return {
    reached: () => Promise.resolve(),
    output: (n, kind, bytes) => recording.output(n, kind, bytes),
  };
}
