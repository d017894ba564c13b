/** The connector of the bare relay, a process of its own: `connector.ts EDGE PORT`. Opens a database for each dial. */
import { connect } from "node:net";
import { join, relaySocket } from "./stream.ts";

const [edge, port] = process.argv.slice(2) as [string, string];
const control = relaySocket(`${edge}/control`);
control.on("open", () => process.stdout.write("ready\n"));
control.on("message", (session: Buffer) => {
  const tcp = connect({ port: Number(port), host: "127.0.0.1", noDelay: true });
  tcp.pause();
  tcp.once("connect", () => {
    const socket = relaySocket(`${edge}/connector/${session.toString()}`);
    join(tcp, socket);
    socket.once("open", () => tcp.resume());
  });
});
process.once("SIGTERM", () => process.exit(0));
