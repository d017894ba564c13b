/**
 * The edge by https in `wicket dev`: kubectl sends no token over http. An authority and a certificate of this
 * state folder; what comes in is passed on to the edge's own port as it is.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { type MadeCertificates, makeCertificates } from "../../wire/certificate.ts";
import { freePort } from "./ports.ts";
import type { DevState } from "./state.ts";

interface Kept extends MadeCertificates {
  /** Where it listened before: kubeconfigs name it. */
  readonly port: number;
  /** Milliseconds since the epoch. */
  readonly made: number;
}

export interface SecureDoor {
  /** `https://127.0.0.1:8788`. */
  readonly origin: string;
  /** PEM of the authority that clients have to trust. */
  readonly authority: string;
  stop(): Promise<void>;
}

/** A certificate is made again after this time, milliseconds. */
const RENEW_MS = 300 * 24 * 3_600_000;

/** Listens on loopback and passes everything on to `edgePort`. */
export async function openSecureDoor(state: DevState, edgePort: number): Promise<SecureDoor> {
  const kept = await keptCertificates(state, edgePort);
  const { authority, certificate: cert, key, port } = kept;
  const open = new Set<TLSSocket>();
  const server = createServer({ cert, key }, (socket) => {
    open.add(socket);
    const inner = connect({ host: "127.0.0.1", port: edgePort, noDelay: true });
    const end = (): void => {
      socket.destroy();
      // With a reset: of a client that only closed, the edge hears when it next has something to write.
      if (!inner.destroyed) inner.resetAndDestroy();
      open.delete(socket);
    };
    socket.setNoDelay(true);
    for (const one of [socket, inner]) {
      one.on("error", end);
      one.on("close", end);
    }
    socket.pipe(inner);
    inner.pipe(socket);
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authority,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

async function keptCertificates(state: DevState, edgePort: number): Promise<Kept> {
  const path = state.path("https.json");
  if (existsSync(path)) {
    const kept = JSON.parse(readFileSync(path, "utf8")) as Kept;
    if (Date.now() - kept.made < RENEW_MS) return { ...kept, port: await freePort(kept.port) };
  }
  const made = Date.now();
  const certificates = await makeCertificates(["localhost", "127.0.0.1"], made);
  const kept = { ...certificates, port: await freePort(edgePort + 2), made };
  writeFileSync(path, JSON.stringify(kept), { mode: 0o600 });
  return kept;
}
