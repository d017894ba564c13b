/** How long a decision on a statement takes, in both runtimes: one never seen, and one that is known. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import pg from "pg";
import { openLibrary } from "../../client/policy/library.ts";
import { buildCatalog, type CatalogRow, catalogQueries } from "../../policies/postgres/catalog.ts";
import { createDecider } from "../../policies/postgres/decide.ts";
import type { Task } from "../../policies/task.ts";
import { prepareParser } from "../../scripts/prepare-parser.ts";
import { testParser } from "../support/parser.ts";
import { cold, known, type Measured, shaped } from "./decisions-loop.ts";
import type { Lab } from "./lab.ts";
import { figure, type Report, verdict } from "./report.ts";
import { type Spread, spread } from "./statistics.ts";

const ROUNDS = 7;
const COLD = 400;
const SHAPED = 20_000;
const KNOWN = 200_000;

export async function decisions(lab: Lab): Promise<Report> {
  const library = openLibrary(join(import.meta.dirname, "library"));
  if (!library.ok) throw new Error("the library of the benchmark has mistakes");
  const task = library.library.bundle.tasks["masked"]!;
  const catalog = await readCatalog(lab);
  const made = { task, catalog, parser: await testParser() };
  const inFull = createDecider({ ...made, byShape: false });
  const byShape = createDecider(made);
  const edge = await startWorker(lab, task, catalog);
  const rows: string[][] = [];
  const times: Record<string, Spread> = {};
  for (const [name, run, node, count] of [
    ["cold", cold, inFull, COLD],
    ["shaped", shaped, byShape, SHAPED],
    ["known", known, byShape, KNOWN],
  ] as const) {
    const values = { node: [] as number[], workerd: [] as number[] };
    for (let round = -1; round < ROUNDS; round++) {
      const start = performance.now();
      check(run(node, count, round));
      const inNode = performance.now() - start;
      const inEdge = await edge.time(name, count, round);
      if (round < 0) continue;
      values.node.push((inNode / count) * 1000);
      values.workerd.push((inEdge / count) * 1000);
    }
    for (const runtime of ["node", "workerd"] as const) times[`${name} ${runtime}`] = spread(values[runtime]);
  }
  const text = {
    cold: "300 characters, never seen (cold)",
    shaped: "the same with other values and another comment",
    known: "the same text again (known)",
  };
  for (const [name, target] of [
    ["cold", 400],
    ["shaped", null],
    ["known", 5],
  ] as const) {
    for (const runtime of ["node", "workerd"] as const) {
      const { median, min, max } = times[`${name} ${runtime}`]!;
      rows.push([
        `${text[name]}, ${runtime === "node" ? `Node ${process.versions.node}` : "workerd"}`,
        `${figure(median)} (${figure(min)}–${figure(max)})`,
        figure(1_000_000 / median),
        target === null ? "" : verdict("<", target, median, " µs"),
      ]);
    }
  }
  return { tables: [{ head: ["decision", "µs each", "a second", "target"], rows }] };
}

function check({ allowed, count }: Measured): void {
  if (allowed !== count) throw new Error(`${count - allowed} of ${count} statements were not allowed`);
}

async function readCatalog(lab: Lab): Promise<ReturnType<typeof buildCatalog>> {
  const { url } = await lab.database();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const rows: Record<string, CatalogRow[]> = {};
    for (const query of catalogQueries([{ schema: "public", name: "accounts" }], [])) {
      rows[query.name] = (await client.query({ text: query.text, values: [...query.values] }))
        .rows as CatalogRow[];
    }
    return buildCatalog(rows);
  } finally {
    await client.end();
  }
}

/** A Worker that decides in a loop. Its clock stands still while it computes, so it is timed from outside. */
async function startWorker(lab: Lab, task: Task, catalog: object) {
  const folder = prepareParser();
  const built = await build({
    entryPoints: [join(import.meta.dirname, "decisions-worker.ts")],
    ...{ bundle: true, write: false, format: "esm", target: "es2024", external: ["node:*", "*.wasm"] },
  });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [
        { type: "ESModule", path: "decisions.js", contents: built.outputFiles[0]!.text },
        {
          type: "CompiledWasm",
          path: "libpg-query.wasm",
          contents: readFileSync(join(folder, "libpg-query.wasm")),
        },
      ],
      compatibilityDate: "2026-11-17",
      bindings: { TASK: task, CATALOG: catalog },
      host: "127.0.0.1",
      port: 0,
    } as never),
  );
  lab.stops.add(() => miniflare.dispose());
  const url = await miniflare.ready;
  const ask = async (what: string, count: number, round: number): Promise<number> => {
    const start = performance.now();
    const answer = await fetch(`${url}${what}?count=${count}&round=${round}`);
    check((await answer.json()) as Measured);
    return performance.now() - start;
  };
  return {
    /** Milliseconds for `count` decisions, without the time of a request that decides nothing. */
    async time(what: string, count: number, round: number): Promise<number> {
      const empty = await ask(what, 0, round);
      return (await ask(what, count, round)) - empty;
    },
  };
}
