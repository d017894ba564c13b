/** The SQL parser for tests in Node: the files of `build/parser/`, made when absent. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createParser, type Parser, type ParserFactory } from "../../policies/postgres/parser.ts";
import { prepareParser } from "../../scripts/prepare-parser.ts";

/** A new parser with an instance of its own. */
export async function testParser(): Promise<Parser> {
  const folder = prepareParser();
  const glue = (await import(pathToFileURL(join(folder, "libpg-query.js")).href)) as {
    default: ParserFactory;
  };
  // The Workers types know no compiling at run time; Node has it.
  const { compile } = WebAssembly as unknown as { compile(bytes: Uint8Array): Promise<WebAssembly.Module> };
  const module = await compile(readFileSync(join(folder, "libpg-query.wasm")));
  return createParser(module, glue.default);
}
