/**
 * Recordings that only auditors may read: their segments are sealed on this host, before they leave it. Whose keys
 * seal a session is written down at its beginning, so that nothing of it leaves unsealed after a restart. A segment is
 * sealed once: what was sealed stays on the disk until the next one is, for an upload that is tried again.
 */
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../wire/recording.ts";
import { type AuditorKey, auditorKey, sealSegment } from "../wire/recording-seal.ts";
import { writePrivate } from "./identity.ts";

/** Whom this connector seals recordings to. */
export interface Sealing {
  readonly auditors: readonly AuditorKey[];
  /** All recordings, whatever their tasks say. */
  readonly always: boolean;
}

const MARK = "auditors.json";

/** Reads the auditors' public keys, a JWK a file. The message says which file is none. */
export async function readSealing(
  files: readonly string[],
  always: boolean,
): Promise<{ ok: true; sealing: Sealing | null } | { ok: false; message: string }> {
  const auditors: AuditorKey[] = [];
  for (const file of files) {
    let key: AuditorKey | null = null;
    try {
      key = await auditorKey(JSON.parse(readFileSync(file, "utf8")));
    } catch {
      // Said below.
    }
    if (!key) return { ok: false, message: `${file} is not an auditor's public key (JWK, X25519 or P-256)` };
    if (key.privateJwk) {
      return { ok: false, message: `${file} has the private key: give this host the public part only` };
    }
    if (!auditors.some((one) => one.id === key.id)) auditors.push(key);
  }
  return { ok: true, sealing: auditors.length === 0 ? null : { auditors, always } };
}

/** Writes down that a session is sealed, and to whom, before anything of it is written. Throws when it cannot be. */
export function markSealed(folder: string, auditors: readonly AuditorKey[]): void {
  writePrivate(join(folder, MARK), JSON.stringify(auditors.map((one) => one.publicJwk)), true);
}

/** True for a session that leaves this host sealed. */
export function isMarked(folder: string): boolean {
  return existsSync(join(folder, MARK));
}

/**
 * The sealed form of the segment in `plain`, which is number `sequence` of the session in `folder`; `grew` is what it
 * takes on the disk more than before. Throws when the disk does not take it, or what it needs is damaged.
 */
export async function sealedForm(
  folder: string,
  sequence: number,
  plain: string,
): Promise<{ bytes: Uint8Array; grew: number }> {
  const path = sealedPath(folder, sequence);
  if (existsSync(path)) return { bytes: await readFile(path), grew: 0 };
  const auditors: AuditorKey[] = [];
  for (const jwk of JSON.parse(readFileSync(join(folder, MARK), "utf8")) as unknown[]) {
    const key = await auditorKey(jwk);
    if (!key) throw new Error("the session's auditors do not read");
    auditors.push(key);
  }
  const before = sequence === 0 ? null : sealedPath(folder, sequence - 1);
  const prev = before && digestOf(readFileSync(before));
  const bytes = await sealSegment(await readFile(plain), prev, auditors);
  writePrivate(path, bytes, true);
  let grew = bytes.length;
  if (before) {
    grew -= statSync(before).size;
    rmSync(before);
  }
  return { bytes, grew };
}

function sealedPath(folder: string, sequence: number): string {
  return join(folder, `${String(sequence).padStart(8, "0")}.wgs`);
}
