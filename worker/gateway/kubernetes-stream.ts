/**
 * Exec, attach and port-forward: the client's WebSocket on one side, a channel to the connector on the other. Bytes
 * flow only after the API server's own 101; anything else ends the stream.
 */
import type { KubePermit } from "../../policies/kubernetes/decide.ts";
import { type ChannelProtocol, channelProtocols } from "../../wire/kubernetes/channels.ts";
import { failure } from "../../wire/kubernetes/status.ts";
import { ForwardStream } from "./forward-stream.ts";
import { ProcessStream } from "./process-stream.ts";
import type { HeldRequest, RequestHost, RequestLedger, StatementEvent } from "./requests.ts";

/** The subprotocol of port-forward over WebSocket. */
const FORWARD_PROTOCOL = "SPDY/3.1+portforward.k8s.io";

/** Answers the upgrade and runs the stream. Errors before the upgrade are thrown as `ChannelError`. */
export async function serveStream(
  host: RequestHost,
  ledger: RequestLedger,
  request: Request,
  permit: KubePermit,
  statement: StatementEvent,
  held: Omit<HeldRequest, "patience"> | null,
): Promise<Response> {
  const forward = permit.request.verb === "portforward";
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  const protocol = forward
    ? offered.find((name) => name === FORWARD_PROTOCOL)
    : channelProtocols.find((name) => offered.includes(name));
  if (protocol === undefined) {
    const message = `none of the stream protocols is served here; ${forward ? FORWARD_PROTOCOL : channelProtocols.join(", ")} are`;
    return new Response(JSON.stringify(failure(400, message)), {
      status: 400,
      headers: { "content-type": "application/json" },
    });
  }
  const channel = await host.channel();
  // What waits for people is recorded with what they say.
  if (held === null) host.record(statement);
  const pair = new WebSocketPair();
  const [client, server] = [pair[0], pair[1]];
  server.binaryType = "arraybuffer";
  server.accept();
  const stream = forward
    ? new ForwardStream(host, ledger, server, channel, permit, statement)
    : new ProcessStream(host, ledger, server, channel, permit, statement, protocol as ChannelProtocol);
  stream.start(held);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { "sec-websocket-protocol": protocol },
  });
}
