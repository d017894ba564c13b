/**
 * Clients in the middle of a large result that they have stopped reading: `readers.ts ADDRESS COUNT`, with the address
 * as JSON. Says `ready`; reads on when it is written to; says when each connection was closed, as JSON: milliseconds
 * since the epoch. A process of its own, so that what it reads does not delay those who measure other clients.
 */
import { once } from "node:events";
import { type Address, BenchClient, simple } from "./client.ts";
import { COLUMNS } from "./lab.ts";

const [address, count] = process.argv.slice(2) as [string, string];
const clients: BenchClient[] = [];
for (let n = 0; n < Number(count); n++) {
  const client = await BenchClient.open(JSON.parse(address) as Address);
  client.request(simple(`SELECT ${COLUMNS} FROM accounts`)).catch(() => null);
  client.pause();
  clients.push(client);
}
console.log("ready");
await once(process.stdin, "data");
const times = clients.map(async (client) => {
  client.discard();
  await client.closed();
  return performance.timeOrigin + performance.now();
});
console.log(JSON.stringify(await Promise.all(times)));
process.exit(0);
