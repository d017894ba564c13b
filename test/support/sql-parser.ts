/**
 * The SQL parser for tests that run in both runtimes. In Node the two files are made when absent; workerd takes
 * the module from `build/parser`, which `scripts/prepare-parser.ts` must have made.
 */
import { createParser, type Parser, type ParserFactory } from "../../policies/postgres/parser.ts";

const { navigator } = globalThis as { navigator?: { userAgent?: string } };
const inWorkerd = navigator?.userAgent === "Cloudflare-Workers";

let parser: Promise<Parser> | null = null;

/** One parser for all tests of a run. */
export function sqlParser(): Promise<Parser> {
  parser ??= inWorkerd ? load() : import("./parser.ts").then(({ testParser }) => testParser());
  return parser;
}

/** `require` goes past Vite, which would link the module's imports itself. */
async function load(): Promise<Parser> {
  const { createRequire } = await import("node:module");
  const require = createRequire(import.meta.url);
  const glue = (await import("../../build/parser/libpg-query.js" as string)) as { default: ParserFactory };
  const module = require("../../build/parser/libpg-query.wasm?module") as
    | { default: WebAssembly.Module }
    | WebAssembly.Module;
  return createParser("default" in module ? module.default : module, glue.default);
}
