/** Port-forward: ports are decided stream by stream inside the client's SPDY bytes. */
import { type KubePermit, portAllowed } from "../../policies/kubernetes/decide.ts";
import { ForwardReader } from "../../wire/kubernetes/spdy.ts";
import { KubeStream } from "./kubernetes-stream-base.ts";
import type { RequestChannel } from "./request-channel.ts";
import type { RequestHost, RequestLedger, StatementEvent } from "./requests.ts";

/** Port-forward: the client's SPDY bytes are read for the ports they ask for; the answers pass as they are. */
export class ForwardStream extends KubeStream {
  readonly #reader: ForwardReader;
  #refusedPort: number | null = null;

  constructor(
    host: RequestHost,
    ledger: RequestLedger,
    socket: WebSocket,
    channel: RequestChannel,
    permit: KubePermit,
    statement: StatementEvent,
  ) {
    super(host, ledger, socket, channel, permit, statement);
    this.#reader = new ForwardReader(({ port, type }) => {
      if (!portAllowed(permit, port)) {
        this.#refusedPort = port;
        return false;
      }
      if (type === "data") host.record({ t: "forward", n: statement.n, port, at: host.now() });
      return true;
    });
  }

  protected opened(): void {}

  protected fromClient(message: Uint8Array): void {
    const { bytes, fault } = this.#reader.push(message);
    for (const part of bytes) this.channel.write(part.slice());
    if (fault === null) return;
    const port = this.#refusedPort;
    const message2 =
      port === null
        ? "the stream cannot be read"
        : `the task ${this.host.task.name} does not allow port ${port}`;
    if (port !== null)
      this.host.record({ t: "alarm", code: "PORT_NOT_GRANTED", message: message2, at: this.host.now() });
    this.fail(port === null ? fault : "PORT_NOT_GRANTED", message2);
  }

  protected fromServer(chunk: Uint8Array): void {
    this.send(chunk.slice());
  }

  protected refused(): void {}
  protected notice(): void {}
  protected told(): void {}
  protected finished(): void {}
  protected ended(): void {}
}
