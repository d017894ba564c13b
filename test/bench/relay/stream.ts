/** The two ends of the bare relay: a TCP socket and a WebSocket, joined within credit, as the product joins them. */
import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import WebSocket from "ws";
import { encodeControl, FramedSender, ReceiveWindow } from "../../../wire/tunnel.ts";

// As the product's own processes.
setFlagsFromString("--external-memory-accounted-in-global-limit");

/** A WebSocket with the settings of the product's own. */
export function relaySocket(url: string): WebSocket {
  const socket = new WebSocket(url, [], {
    ...{ perMessageDeflate: false, closeTimeout: 500, skipUTF8Validation: true },
  } as WebSocket.ClientOptions);
  socket.binaryType = "nodebuffer";
  socket.on("error", () => socket.terminate());
  return socket;
}

/** Moves bytes both ways until one side ends. To be called in the turn in which the socket opens, or before. */
export function join(tcp: Socket, socket: WebSocket): void {
  const window = new ReceiveWindow();
  const send = (message: Uint8Array | string): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  };
  const sender = new FramedSender(send);
  tcp.on("error", () => tcp.destroy());
  tcp.on("data", (chunk) => {
    sender.data(chunk as Buffer);
    if (sender.queued > 0) tcp.pause();
  });
  tcp.on("close", () => socket.close());
  socket.on("close", () => tcp.destroy());
  socket.on("message", (data: Buffer, binary: boolean) => {
    if (binary) {
      if (window.received(data.length)) socket.terminate();
      tcp.write(data, () => {
        const bytes = window.drained(data.length);
        if (bytes > 0) send(encodeControl({ t: "credit", bytes }));
      });
    } else {
      const { bytes } = JSON.parse(data.toString()) as { bytes: number };
      sender.grant(bytes);
      if (sender.queued === 0) tcp.resume();
    }
  });
}
