/** Decides in a loop, for the benchmark. */
import type { Catalog } from "../../policies/postgres/catalog-types.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import type { StatementDecider } from "../../policies/postgres/decision.ts";
import { createParser, type ParserFactory } from "../../policies/postgres/parser.ts";
import type { Task } from "../../policies/task.ts";
import { cold, known } from "./decisions-loop.ts";

interface Env {
  TASK: Task;
  CATALOG: Catalog;
}

let decider: StatementDecider | null = null;

async function createOnce({ TASK: task, CATALOG: catalog }: Env): Promise<StatementDecider> {
  const { default: module } = (await import("./libpg-query.wasm")) as { default: WebAssembly.Module };
  const { default: factory } = (await import("../../build/parser/libpg-query.js")) as {
    default: ParserFactory;
  };
  return createDecider({ task, catalog, parser: createParser(module, factory) });
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    decider ??= await createOnce(env);
    const count = Number(searchParams.get("count"));
    const run = pathname === "/cold" ? cold : known;
    return Response.json(run(decider, count, Number(searchParams.get("round"))));
  },
};
