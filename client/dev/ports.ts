/** Loopback ports. */
import { type AddressInfo, createServer } from "node:net";

/** True when nothing listens on the port. */
export async function portIsFree(port: number): Promise<boolean> {
  return (await probe(port).catch(() => null)) !== null;
}

/**
 * Ports that no system gives to connections by itself (Linux begins at 32768): what is free when it is looked for is
 * not taken by somebody's connection before it is listened at.
 */
const [FIRST, COUNT] = [16_384, 16_384];

/** The wanted port, or any other that is free. */
export async function freePort(wanted = 0): Promise<number> {
  if (wanted !== 0 && (await portIsFree(wanted))) return wanted;
  for (let tries = 0; tries < 100; tries++) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await portIsFree(port)) return port;
  }
  return probe(0);
}

function probe(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const { port: taken } = server.address() as AddressInfo;
      server.close(() => resolve(taken));
    });
  });
}
