/** The state folder of `wicket dev`: what must be the same at the next start, readable by its owner only. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { exit, fail } from "../exit.ts";
import { makeFolder, reasonOf, temporaryFolder } from "../folders.ts";

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
  const folder = named === undefined ? temporaryFolder("wicket-dev-") : resolve(named);
  makeFolder(folder, "Give another: --state DIR");
  // As root, PostgreSQL runs as another user, who must get through to its own folder; all else is closed to him.
  try {
    chmodSync(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
  } catch (error) {
    const why = `the folder ${folder} cannot be used (${reasonOf(error)})`;
    throw fail(exit.failure, "FOLDER_UNUSABLE", why, "Give another: --state DIR");
  }
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
  if (existsSync(path)) return readSecrets(path);
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

function readSecrets(path: string): DevSecrets {
  let why = "it is not what this program wrote";
  try {
    const found = JSON.parse(readFileSync(path, "utf8")) as DevSecrets;
    if (typeof found?.signingKey === "object" && Number.isInteger(found.issuerPort)) return found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code) why = reasonOf(error);
  }
  const next = "Remove the state folder, or give another: --state DIR";
  throw fail(exit.failure, "STATE_BROKEN", `${path} cannot be read (${why})`, next);
}

function random(bytes: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString("hex");
}
