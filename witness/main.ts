/**
 * `wicket-witness`: one file that runs anywhere with Node 20 or later, and needs nothing beside it.
 *
 *     wicket-witness keygen --name witness.example.com --key witness.key     prints the public key
 *     wicket-witness run --key witness.key --state witness.json --listen 127.0.0.1:7380 --log LOGKEY …
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import {
  formatVerifierKey,
  NOTE_COSIGNATURE,
  NOTE_ED25519,
  type NoteSigner,
  type NoteVerifier,
  noteSignerFromJwk,
  parseVerifierKey,
} from "../wire/log/note.ts";
import {
  MAX_BODY,
  NOT_HERE,
  Witness,
  type WitnessAnswer,
  type WitnessedTree,
  type WitnessState,
} from "./witness.ts";

const USAGE = `wicket-witness keygen --name NAME --key FILE
wicket-witness run --key FILE --state FILE [--listen HOST:PORT] --log LOGKEY [--log LOGKEY …]`;

class UsageError extends Error {}

/** Makes a key and writes it to `path`, which must not exist. Returns the public key (vkey). */
export async function makeKey(name: string, path: string): Promise<string> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const jwk = (await crypto.subtle.exportKey("jwk", pair.privateKey)) as JsonWebKey;
  const { kty, crv, x, d } = jwk;
  const signer = await noteSignerFromJwk(name, NOTE_COSIGNATURE, { kty, crv, x, d } as { kty: string });
  if (!signer) throw new UsageError(`${JSON.stringify(name)} cannot be a key's name: no spaces, no plus`);
  writeFileSync(path, `${JSON.stringify({ name, kty, crv, x, d })}\n`, { mode: 0o600, flag: "wx" });
  return formatVerifierKey(signer);
}

/** The signer of a file that `makeKey` wrote; a file that others can read is refused. */
export async function readKey(path: string): Promise<NoteSigner> {
  if ((statSync(path).mode & 0o077) !== 0)
    throw new UsageError(`${path} can be read by others: chmod 600 ${path}`);
  const jwk = JSON.parse(readFileSync(path, "utf8")) as { name: string; kty: string };
  const signer = await noteSignerFromJwk(jwk.name, NOTE_COSIGNATURE, jwk);
  if (!signer) throw new UsageError(`${path} is no key of a witness; make one with keygen`);
  return signer;
}

/** State in one file, replaced as a whole and on the disk before `save` returns. */
export class FileState implements WitnessState {
  readonly #path: string;
  readonly #trees: Map<string, WitnessedTree>;
  /** The file as it was read or written last; null when there was none. */
  #text: string | null;

  /** Throws when the file is there and does not read: what was cosigned is not known then. */
  constructor(path: string) {
    this.#path = path;
    this.#text = readIfThere(path);
    const trees = this.#text === null ? {} : parseState(this.#text);
    if (!trees)
      throw new Error(`${path} is not a witness's state; bring back a copy that is not older, or a new key`);
    this.#trees = new Map(Object.entries(trees));
  }

  /** Sizes of the trees that were cosigned last, by log. */
  get sizes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#trees].map(([origin, { size }]) => [origin, size]));
  }

  load(origin: string): WitnessedTree | null {
    return this.#trees.get(origin) ?? null;
  }

  save(origin: string, tree: WitnessedTree): void {
    if (readIfThere(this.#path) !== this.#text)
      throw new Error(`${this.#path} was changed by another process; one witness has one state`);
    const next = new Map(this.#trees).set(origin, tree);
    const text = `${JSON.stringify(Object.fromEntries(next))}\n`;
    const half = `${this.#path}.new`;
    const file = openSync(half, "w", 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(half, this.#path);
    this.#text = text;
    this.#trees.set(origin, tree);
    const folder = openSync(dirname(this.#path), "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** The trees by origin; null when this is not what `save` writes. */
function parseState(text: string): Record<string, WitnessedTree> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fine = Object.values(value as Record<string, Partial<WitnessedTree> | null>).every(
    (tree) => Number.isSafeInteger(tree?.size) && tree!.size! >= 0 && /^[0-9a-f]{64}$/.test(tree!.root ?? ""),
  );
  return fine ? (value as Record<string, WitnessedTree>) : null;
}

/** Serves a witness over HTTP. Resolves with its address when it listens. */
export function serve(
  witness: Witness,
  host: string,
  port: number,
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    answer(witness, request).then(
      ({ status, type, body }) => send(response, status, type, body),
      () => send(response, 500, "text/plain", "failed\n"),
    );
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      const { port: taken } = server.address() as AddressInfo;
      const stop = (): Promise<void> =>
        new Promise((done) => {
          server.close(() => done());
          server.closeAllConnections();
        });
      resolve({ url: `http://${host.includes(":") ? `[${host}]` : host}:${taken}`, stop });
    });
  });
}

async function answer(witness: Witness, request: IncomingMessage): Promise<WitnessAnswer> {
  if (request.method !== "POST" || !(request.url ?? "").endsWith("/add-checkpoint")) return NOT_HERE;
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY) return { status: 400, type: "text/plain", body: "the request is too large\n" };
    parts.push(part);
  }
  return witness.addCheckpoint(new Uint8Array(Buffer.concat(parts)));
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "cache-control": "no-store" });
  response.end(body);
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      name: { type: "string" },
      key: { type: "string" },
      state: { type: "string" },
      listen: { type: "string", default: "127.0.0.1:7380" },
      log: { type: "string", multiple: true, default: [] },
    },
  });
  const [command] = positionals;
  const { name, key, state, listen, log } = values;
  if (command === "keygen" && name && key) {
    console.log(await makeKey(name, key));
    return;
  }
  if (command !== "run" || !key || !state || log.length === 0) throw new UsageError(USAGE);
  const logs: NoteVerifier[] = log.map((text) => {
    const verifier = parseVerifierKey(text);
    if (verifier?.type !== NOTE_ED25519)
      throw new UsageError(`${text} is no log's key; GET <edge>/log/key has it`);
    return verifier;
  });
  const place = /^(.+):(\d{1,5})$/.exec(listen);
  if (!place) throw new UsageError(`${listen} is not HOST:PORT`);
  const signer = await readKey(key);
  const kept = new FileState(state);
  const witness = new Witness({ signer, logs, state: kept, now: Date.now });
  const running = await serve(witness, place[1]!.replace(/[[\]]/g, ""), Number(place[2]));
  // `known`: a witness that should know a log and does not has lost its state, and can be shown another history.
  const facts = { url: running.url, key: formatVerifierKey(signer), known: kept.sizes };
  console.log(JSON.stringify({ status: "ready", ...facts }));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void running.stop().then(() => process.exit(0)));
  }
}

if (import.meta.main) {
  try {
    await run(process.argv.slice(2));
  } catch (error) {
    console.error(
      error instanceof UsageError ? error.message : `wicket-witness: ${(error as Error).message}`,
    );
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
