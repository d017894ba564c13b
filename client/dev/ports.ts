/** Loopback ports. */
import { type AddressInfo, createServer } from "node:net";

/** True when nothing listens on the port. */
export async function portIsFree(port: number): Promise<boolean> {
  return (await probe(port).catch(() => null)) !== null;
}

/** The wanted port, or any other that is free. */
export async function freePort(wanted = 0): Promise<number> {
  return (await probe(wanted).catch(() => null)) ?? (await probe(0));
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
