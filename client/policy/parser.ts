/** Loads the SQL parser from `build/parser`, where `scripts/prepare.ts` puts it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CheckRows } from "../../policies/compile-task.ts";
import { createParser, type Parser, type ParserFactory } from "../../policies/postgres/parser.ts";
import { readRowFilter } from "../../policies/postgres/row-filter.ts";

const built = join(import.meta.dirname, "..", "..", "build", "parser");

/** The types of @cloudflare/workers-types, where nothing compiles at run time, leave this out. */
const { compile } = WebAssembly as unknown as { compile(bytes: Uint8Array): Promise<WebAssembly.Module> };

/** A parser with an instance of its own. Throws when the folder does not have its two files. */
export async function loadParser(folder = built): Promise<Parser> {
  const glue = (await import(pathToFileURL(join(folder, "libpg-query.js")).href)) as {
    default: ParserFactory;
  };
  const module = await compile(readFileSync(join(folder, "libpg-query.wasm")));
  return createParser(module, glue.default);
}

/** For `compileLibrary`: what the parser says against a `rows` condition, or null. */
export function checkRowsWith(parser: Parser): CheckRows {
  return (rows, params, relation) => {
    const result = readRowFilter(rows, params, relation, null, parser);
    return result.ok ? null : { message: result.message, offset: result.offset };
  };
}
