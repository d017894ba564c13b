/** Decides in a loop, for the benchmark. */
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import { createParser, type ParserFactory } from "../../policies/postgres/parser.ts";
import type { Task } from "../../policies/task.ts";
import { cold, known, shaped } from "./decisions-loop.ts";

interface Env {
  TASK: Task;
  CATALOG: Catalog;
}

let deciders: { readonly inFull: StatementDecider; readonly byShape: StatementDecider } | null = null;

async function createOnce({ TASK: task, CATALOG: catalog }: Env) {
  const { default: module } = (await import("./libpg-query.wasm")) as { default: WebAssembly.Module };
  const { default: factory } = (await import("../../build/parser/libpg-query.js")) as {
    default: ParserFactory;
  };
  const made = { task, catalog, parser: createParser(module, factory) };
  return { inFull: createDecider({ ...made, byShape: false }), byShape: createDecider(made) };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    deciders ??= await createOnce(env);
    const count = Number(searchParams.get("count"));
    const round = Number(searchParams.get("round"));
    if (pathname === "/cold") return Response.json(cold(deciders.inFull, count, round));
    const run = pathname === "/shaped" ? shaped : known;
    return Response.json(run(deciders.byShape, count, round));
  },
};
