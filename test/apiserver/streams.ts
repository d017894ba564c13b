/** Exec and attach with real processes over `v5.channel.k8s.io` and v4; port-forward to real sockets over SPDY/3.1. */
import { spawn } from "node:child_process";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { constants, createDeflate } from "node:zlib";
import { type WebSocket, WebSocketServer } from "ws";
import { isTrue, type RequestInfo } from "../../wire/kubernetes/attributes.ts";
import {
  CHANNEL_CLOSE,
  CHANNEL_ERROR,
  CHANNEL_RESIZE,
  CHANNEL_STDERR,
  CHANNEL_STDIN,
  CHANNEL_STDOUT,
  channelMessage,
  channelProtocols,
} from "../../wire/kubernetes/channels.ts";
import { HeaderInflater } from "../../wire/kubernetes/inflate.ts";
import {
  PING,
  readHeaderBlock,
  SYN_REPLY,
  SYN_STREAM,
  spdyDictionary,
  WINDOW_UPDATE,
} from "../../wire/kubernetes/spdy.ts";

type Pairs = readonly (readonly [string, string])[];

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  handleProtocols: (offered) => channelProtocols.find((protocol) => offered.has(protocol)) ?? false,
});

/** Answers an upgrade on pods/exec, attach or portforward. */
export function serveUpgrade(
  info: RequestInfo,
  pairs: Pairs,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const upgrade = request.headers.upgrade?.toLowerCase();
  if (info.subresource === "portforward" && upgrade === "spdy/3.1") {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n",
    );
    servePortForward(socket, head);
    return;
  }
  const protocols = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  const known = protocols.some((name) => (channelProtocols as readonly string[]).includes(name));
  if (upgrade !== "websocket" || !known || !["exec", "attach"].includes(info.subresource)) {
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  sockets.handleUpgrade(request, socket, head, (websocket) => serveProcess(websocket, info, pairs));
}

function serveProcess(socket: WebSocket, info: RequestInfo, pairs: Pairs): void {
  const command =
    info.subresource === "exec"
      ? pairs.filter(([key]) => key === "command").map(([, value]) => value)
      : ["cat"];
  const tty = isTrue(pairs, "tty");
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const child = tty
    ? spawn("script", ["-qefc", quoted, "/dev/null"], { stdio: "pipe" })
    : spawn(command[0]!, command.slice(1), { stdio: "pipe" });
  const send = (channel: number, bytes: Uint8Array) => {
    if (socket.readyState === socket.OPEN) socket.send(channelMessage(channel, bytes));
  };
  send(CHANNEL_STDOUT, new Uint8Array(0));
  const finish = (status: object) => {
    send(CHANNEL_ERROR, Buffer.from(JSON.stringify({ metadata: {}, ...status })));
    socket.close(1000);
  };
  child.on("error", (error) =>
    finish({ status: "Failure", message: error.message, reason: "InternalError", code: 500 }),
  );
  child.stdout.on("data", (chunk: Buffer) => {
    for (let i = 0; i < chunk.length; i += 32 * 1024) send(CHANNEL_STDOUT, chunk.subarray(i, i + 32 * 1024));
    if (socket.bufferedAmount > 1024 * 1024) {
      child.stdout.pause();
      const resume = setInterval(() => {
        if (socket.bufferedAmount > 256 * 1024 && socket.readyState === socket.OPEN) return;
        clearInterval(resume);
        child.stdout.resume();
      }, 5);
    }
  });
  child.stderr.on("data", (chunk: Buffer) => send(CHANNEL_STDERR, chunk));
  child.stdin.on("error", () => {});
  if (!isTrue(pairs, "stdin")) child.stdin.end();
  child.on("close", (code, signal) => {
    if (code === 0) return finish({ status: "Success" });
    const message = `command terminated with exit code ${code ?? signal}`;
    const causes = [{ reason: "ExitCode", message: String(code ?? 137) }];
    finish({ status: "Failure", message, reason: "NonZeroExitCode", details: { causes } });
  });
  socket.on("message", (data: Buffer, binary: boolean) => {
    if (!binary) return socket.close(1003);
    if (data[0] === CHANNEL_STDIN) child.stdin.write(data.subarray(1));
    else if (data[0] === CHANNEL_CLOSE && data[1] === CHANNEL_STDIN) child.stdin.end();
    else if (data[0] !== CHANNEL_RESIZE) socket.close(1002);
  });
  socket.on("close", () => child.kill("SIGKILL"));
}

/** One SPDY session: a pair of streams for each connection, the data one joined to a socket on the loopback. */
function servePortForward(socket: Duplex, head: Buffer): void {
  const inflater = new HeaderInflater(spdyDictionary(), 4096);
  const deflate = createDeflate({ dictionary: Buffer.from(spdyDictionary()) });
  const targets = new Map<number, Socket>();
  const errors = new Map<string, number>();
  let held = head;
  let chain = Promise.resolve();

  const control = (type: number, payload: Buffer) => {
    const frame = Buffer.alloc(8 + payload.length);
    frame.writeUInt32BE((0x80030000 | type) >>> 0, 0);
    frame.writeUInt32BE(payload.length, 4);
    payload.copy(frame, 8);
    socket.write(frame);
  };
  const data = (stream: number, bytes: Buffer, fin: boolean) => {
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(stream, 0);
    frame.writeUInt32BE(((fin ? 1 << 24 : 0) | bytes.length) >>> 0, 4);
    socket.write(Buffer.concat([frame, bytes]));
  };
  const reply = (stream: number) => {
    chain = chain.then(async () => {
      const parts: Buffer[] = [];
      const collect = (part: Buffer) => parts.push(part);
      deflate.on("data", collect);
      await new Promise<void>((resolve) => {
        deflate.write(Buffer.alloc(4), () => deflate.flush(constants.Z_SYNC_FLUSH, () => resolve()));
      });
      deflate.off("data", collect);
      const id = Buffer.alloc(4);
      id.writeUInt32BE(stream, 0);
      control(SYN_REPLY, Buffer.concat([id, ...parts]));
    });
  };
  const open = (stream: number, headers: ReadonlyMap<string, string>) => {
    reply(stream);
    const id = headers.get("requestid") ?? "";
    if (headers.get("streamtype") === "error") {
      errors.set(id, stream);
      return;
    }
    const target = connect({ host: "127.0.0.1", port: Number(headers.get("port")), allowHalfOpen: true });
    targets.set(stream, target);
    const after = (work: () => void) => {
      chain = chain.then(work);
    };
    target.on("data", (bytes: Buffer) => after(() => data(stream, bytes, false)));
    target.on("end", () =>
      after(() => {
        data(stream, Buffer.alloc(0), true);
        data(errors.get(id)!, Buffer.alloc(0), true);
      }),
    );
    target.on("error", (error) => after(() => data(errors.get(id)!, Buffer.from(error.message), true)));
  };
  const read = () => {
    while (held.length >= 8) {
      const first = held.readUInt32BE(0);
      const length = held.readUInt32BE(4) & 0xffffff;
      const fin = (held[4]! & 1) === 1;
      if (held.length < 8 + length) return;
      const payload = held.subarray(8, 8 + length);
      held = held.subarray(8 + length);
      if (first >>> 31 === 0) {
        const target = targets.get(first);
        if (target && payload.length > 0) {
          target.write(payload);
          const update = Buffer.alloc(8);
          update.writeUInt32BE(first, 0);
          update.writeUInt32BE(payload.length, 4);
          control(WINDOW_UPDATE, update);
        }
        if (target && fin) target.end();
        continue;
      }
      const type = first & 0xffff;
      if (type === PING) control(PING, payload);
      if (type !== SYN_STREAM) continue;
      const block = inflater.block(payload.subarray(10));
      const headers = block === null ? null : readHeaderBlock(block);
      if (headers === null) return void socket.destroy();
      open(payload.readUInt32BE(0) & 0x7fffffff, headers);
    }
  };
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    read();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const target of targets.values()) target.destroy();
  });
  read();
}
