/**
 * Makes `build/parser/` from the installed `libpg-query`: the PostgreSQL grammar as WebAssembly and its glue,
 * changed so that both run unchanged in workerd and in Node. See `docs/decisions/` for the measured reasons.
 *
 * - The module declares 128 MiB of initial memory, a whole Worker's limit; 560 pages (35 MiB) are enough.
 * - The glue takes workerd for a browser's web worker, and Node for a place where it may read files.
 * - It instantiates asynchronously, but the gate must replace a broken instance between two messages.
 *
 * Idempotent; when the output is newer than its inputs nothing is done.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./sources.ts";

const root = join(import.meta.dirname, "..");
const source = join(root, "node_modules", "libpg-query", "wasm");
const target = join(root, "build", "parser");

const MIN_PAGES = 560;
const MAX_PAGES = 1024;

/** Exact texts of libpg-query 18.1.5; each must occur exactly once. */
const GLUE_CHANGES: readonly (readonly [string, string])[] = [
  ["ENVIRONMENT_IS_WEB=!!globalThis.window;", "ENVIRONMENT_IS_WEB=false;"],
  ["ENVIRONMENT_IS_WORKER=!!globalThis.WorkerGlobalScope;", "ENVIRONMENT_IS_WORKER=false;"],
  [
    'ENVIRONMENT_IS_NODE=globalThis.process?.versions?.node&&globalThis.process?.type!="renderer";',
    "ENVIRONMENT_IS_NODE=false;",
  ],
  ["var getHeapMax=()=>1073741824;", `var getHeapMax=()=>${MAX_PAGES * 65536};`],
  ['var fs=require("node:fs");', "var fs=null;"],
  ['var nodeCrypto=require("node:crypto");', "var nodeCrypto=null;"],
  ["return async function(moduleArg={}){", "return function(moduleArg={}){"],
  ["async function createWasm(){", "function createWasm(){"],
  [
    "return new Promise(resolve=>{instantiateWasm(info,inst=>resolve(receiveInstance(inst)))})}" +
      "wasmBinaryFile??=findWasmBinary();var result=await instantiateAsync(wasmBinary,wasmBinaryFile,info);" +
      "var exports=receiveInstantiationResult(result);return exports}",
    "var made;instantiateWasm(info,inst=>{made=receiveInstance(inst)});return made}" +
      'throw new Error("instantiateWasm is required")}',
  ],
  ["async function run(){", "function run(){"],
  ["if(runDependencies){await resolveRunDependencies()}", ""],
  [
    'var setStatus=Module["setStatus"];if(setStatus){setStatus("Running...");' +
      'await new Promise(resolve=>setTimeout(resolve,1));setTimeout(setStatus,1,"")}',
    "",
  ],
  ["wasmExports=await createWasm();await run();", "wasmExports=createWasm();run();"],
  [
    'if(typeof exports==="object"&&typeof module==="object"){module.exports=PgQueryModule;' +
      'module.exports.default=PgQueryModule}else if(typeof define==="function"&&define["amd"])' +
      "define([],()=>PgQueryModule);",
    "export default PgQueryModule;",
  ],
];

/** Makes the two files when they are absent or stale; returns their folder. */
export function prepareParser(): string {
  const inputs = [join(source, "libpg-query.wasm"), join(source, "libpg-query.js"), import.meta.filename];
  const outputs = [join(target, "libpg-query.wasm"), join(target, "libpg-query.js")] as const;
  if (isFresh(inputs, outputs)) return target;
  writeWhole(outputs[0], limitMemory(readFileSync(inputs[0]!)));
  writeWhole(outputs[1], changeGlue(readFileSync(inputs[1]!, "utf8")));
  return target;
}

function isFresh(inputs: readonly string[], outputs: readonly string[]): boolean {
  try {
    const oldest = Math.min(...outputs.map((file) => statSync(file).mtimeMs));
    return inputs.every((file) => statSync(file).mtimeMs < oldest);
  } catch {
    return false;
  }
}

/** The glue with every change of `GLUE_CHANGES`; throws when the installed version is another one. */
export function changeGlue(glue: string): string {
  let text = glue;
  for (const [from, to] of GLUE_CHANGES) {
    const parts = text.split(from);
    if (parts.length !== 2) {
      throw new Error(`libpg-query's glue is not the expected version: ${parts.length - 1} times ${from}`);
    }
    text = parts.join(to);
  }
  return text;
}

/** The module with a memory section of `MIN_PAGES`..`MAX_PAGES` (WebAssembly core specification 5.5.8). */
export function limitMemory(module: Uint8Array): Uint8Array {
  let at = 8;
  while (at < module.length) {
    const id = module[at]!;
    const [size, body] = readUnsigned(module, at + 1);
    if (id === 5) {
      const section = [1, 1, ...unsigned(MIN_PAGES), ...unsigned(MAX_PAGES)];
      const [count, limits] = readUnsigned(module, body);
      if (count !== 1 || module[limits] !== 1) throw new Error("unexpected memory section in libpg-query");
      return Uint8Array.from([
        ...module.subarray(0, at),
        5,
        ...unsigned(section.length),
        ...section,
        ...module.subarray(body + size),
      ]);
    }
    at = body + size;
  }
  throw new Error("libpg-query has no memory section");
}

/** LEB128: the value and the offset after it. */
function readUnsigned(bytes: Uint8Array, start: number): [number, number] {
  let value = 0;
  let shift = 0;
  let at = start;
  for (;;) {
    const byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
    shift += 7;
  }
}

function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return out;
}

if (process.argv[1] === import.meta.filename) console.log(prepareParser());
