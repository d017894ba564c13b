/**
 * Who the connector is: an Ed25519 key that it makes itself on its first run and never gives away. With it it
 * signs in (a JWT for each request, used once) and vouches for the recordings that it finished.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { NOTE_ED25519, type NoteSigner, noteSignerFromJwk } from "../wire/log/note.ts";
import { connectorKeyName, type RecordingStatement, signStatement } from "../wire/log/statement.ts";

const TOKEN_SECONDS = 45;

export interface ConnectorIdentity {
  readonly name: string;
  readonly publicKey: JWK;
  /** A token for one request to the edge. */
  token(): Promise<string>;
  /** The signed statement about a recording, as text. */
  state(statement: RecordingStatement): Promise<string>;
}

/** Makes a folder that only its owner can enter. */
export function privateFolder(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700);
}

/** Writes a file that only its owner can read, in one step. `durable`: it is on the disk afterwards. */
export function writePrivate(path: string, content: string | Uint8Array, durable = false): void {
  const half = `${path}.${process.pid}.tmp`;
  writeFileSync(half, content, { mode: 0o600, flush: durable });
  renameSync(half, path);
  if (durable) syncFolder(dirname(path));
}

/** Waits until the names in a folder are on the disk. */
export function syncFolder(folder: string): void {
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The identity in `state`, made when there is none. Throws when the key's file is open to others. */
export async function openIdentity(state: string, name: string, edge: string): Promise<ConnectorIdentity> {
  privateFolder(state);
  const path = join(state, "key.json");
  const jwk = readKey(path) ?? (await makeKey(path));
  const key = await importJWK(jwk, "EdDSA");
  const signer = await noteSignerFromJwk(connectorKeyName(name), NOTE_ED25519, jwk);
  if (!signer) throw new Error(`${path} is not an Ed25519 key`);
  return {
    name,
    publicKey: { kty: "OKP", crv: "Ed25519", x: jwk.x! },
    token: () =>
      new SignJWT({})
        .setProtectedHeader({ alg: "EdDSA", typ: "wicket-connector+jwt" })
        .setIssuer(name)
        .setAudience(edge)
        .setIssuedAt()
        .setExpirationTime(`${TOKEN_SECONDS}s`)
        .setJti(crypto.randomUUID())
        .sign(key),
    state: (statement) => signed(statement, signer),
  };
}

async function signed(statement: RecordingStatement, signer: NoteSigner): Promise<string> {
  const note = await signStatement(statement, signer);
  if (note === null) throw new Error("the statement about the recording is malformed");
  return note;
}

function readKey(path: string): JWK | null {
  let text: string;
  try {
    if ((statSync(path).mode & 0o077) !== 0) throw new Error(`others may read ${path}: chmod 600 ${path}`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    const jwk = JSON.parse(text) as JWK;
    if (jwk.kty === "OKP" && jwk.crv === "Ed25519" && jwk.x && jwk.d) return jwk;
  } catch {
    // Said below.
  }
  throw new Error(`${path} is not an Ed25519 key`);
}

async function makeKey(path: string): Promise<JWK> {
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(pair.privateKey);
  writePrivate(path, `${JSON.stringify(jwk)}\n`);
  return jwk;
}

/** The key of the `token` mask: 32 bytes, made once and kept in `state`. */
export function openTokenKey(state: string): Uint8Array {
  const path = join(state, "token.key");
  try {
    const key = readFileSync(path);
    if (key.length === 32) return new Uint8Array(key);
    throw new Error(`${path} does not have 32 bytes`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const key = crypto.getRandomValues(new Uint8Array(32));
  writePrivate(path, key);
  return key;
}
