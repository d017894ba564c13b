/**
 * Loaded into the connector before its own code (`node --import`): what it writes meets a slow disk, or a full one, and
 * its clock goes wrong, as the file in CHAOS_FAULTS says: `{ "disk": "slow" | "full", "clock": milliseconds }`.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

interface Faults {
  readonly disk?: "slow" | "full";
  /** Added to the time, milliseconds. */
  readonly clock?: number;
}

const path = process.env["CHAOS_FAULTS"]!;
const { readFileSync, writevSync, writeSync, writeFileSync, mkdirSync, fdatasyncSync } = fs;
const RealDate = Date;
const LOOK_MS = 20;
const SLOW_MS = 40;
let faults: Faults = {};
let looked = 0;

function now(): Faults {
  const time = performance.now();
  if (time - looked < LOOK_MS) return faults;
  looked = time;
  try {
    faults = JSON.parse(readFileSync(path, "utf8")) as Faults;
  } catch {
    // Being written: what was said last holds.
  }
  return faults;
}

function noSpace(): Error {
  const message = "ENOSPC: no space left on device, write";
  return Object.assign(new Error(message), { code: "ENOSPC", errno: -28, syscall: "write" });
}

/** What a disk does before it takes something; a full one takes the beginning, as far as there is one. */
function disk(begin: () => void = () => {}): void {
  const { disk: state } = now();
  if (state === "slow") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SLOW_MS);
  if (state !== "full") return;
  begin();
  throw noSpace();
}

const inSpool = (where: unknown): boolean => String(where).includes("/spool/");

Object.assign(fs, {
  writevSync(file: number, parts: NodeJS.ArrayBufferView[]) {
    disk(() => void writevSync(file, parts.slice(0, Math.ceil(parts.length / 2))));
    return writevSync(file, parts);
  },
  writeSync(file: number, bytes: Uint8Array) {
    disk(() => void writeSync(file, bytes.subarray(0, bytes.length >> 1)));
    return writeSync(file, bytes);
  },
  writeFileSync(where: fs.PathOrFileDescriptor, data: Uint8Array, options?: fs.WriteFileOptions) {
    if (inSpool(where)) disk(() => writeFileSync(where, data.slice(0, data.length >> 1), options));
    return writeFileSync(where, data, options);
  },
  mkdirSync(where: fs.PathLike, options?: fs.MakeDirectoryOptions) {
    if (inSpool(where)) disk();
    return mkdirSync(where, options);
  },
  fdatasyncSync(file: number) {
    if (now().disk === "slow") disk();
    return fdatasyncSync(file);
  },
});
syncBuiltinESMExports();

globalThis.Date = class extends RealDate {
  constructor(...given: unknown[]) {
    // biome-ignore lint/suspicious/noExplicitAny: the constructor's own many forms
    super(...((given.length === 0 ? [Date.now()] : given) as [any]));
  }

  static override now(): number {
    return RealDate.now() + (now().clock ?? 0);
  }
} as DateConstructor;
