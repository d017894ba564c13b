/** The state folder of `wicket dev`: what must be the same at the next start, readable by its owner only. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exportJWK, generateKeyPair, type JWK } from "jose";

export interface DevSecrets {
  /** Private Ed25519 JWK of the edge. */
  readonly signingKey: JWK;
  /** Private ES256 JWK of the provider. */
  readonly providerKey: JWK;
  readonly cookieSecret: string;
  /** Of the embedded PostgreSQL's superuser and of the connector's login. */
  readonly adminPassword: string;
  readonly loginPassword: string;
  /** Port of the provider: part of the issuer, so of everybody's identity. */
  readonly issuerPort: number;
}

export interface DevState {
  readonly folder: string;
  path(name: string): string;
  /** Removes a temporary folder; keeps one that was named. */
  close(): void;
}

/** The folder: a named one, or a temporary one that goes with the process. */
export function openState(named: string | undefined): DevState {
  const folder = named === undefined ? mkdtempSync(join(tmpdir(), "wicket-dev-")) : resolve(named);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // As root, PostgreSQL runs as another user, who must get through to its own folder; all else is closed to him.
  chmodSync(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (named === undefined) process.once("exit", remove);
  return {
    folder,
    path: (name) => join(folder, name),
    close() {
      if (named !== undefined) return;
      process.off("exit", remove);
      remove();
    },
  };
}

/** The secrets of the folder, made when there are none. */
export async function openSecrets(state: DevState, issuerPort: () => Promise<number>): Promise<DevSecrets> {
  const path = state.path("secrets.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as DevSecrets;
  const edge = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const provider = await generateKeyPair("ES256", { extractable: true });
  const secrets: DevSecrets = {
    signingKey: await exportJWK(edge.privateKey),
    providerKey: { ...(await exportJWK(provider.privateKey)), kid: random(8) },
    cookieSecret: random(32),
    adminPassword: random(24),
    loginPassword: random(24),
    issuerPort: await issuerPort(),
  };
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}

function random(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}
