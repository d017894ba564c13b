/** The client's end of the bare relay, a process of its own: `bridge.ts EDGE`. Prints its port. */
import { randomUUID } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import { join, relaySocket } from "./stream.ts";

const [edge] = process.argv.slice(2) as [string];
const server = createServer({ noDelay: true }, (tcp) => {
  tcp.pause();
  const socket = relaySocket(`${edge}/client/${randomUUID()}`);
  join(tcp, socket);
  socket.once("open", () => tcp.resume());
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.once("SIGTERM", () => process.exit(0));
