/** The catalog of a database for decisions away from it: read from a live one, stored in a file, or guessed. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import pg from "pg";
import { digestOf } from "../../policies/canonical.ts";
import type { Library } from "../../policies/compile.ts";
import { buildCatalog, type CatalogRow, catalogQueries } from "../../policies/postgres/catalog.ts";
import type { Catalog, CatalogColumn, CatalogRelation } from "../../policies/postgres/catalog-types.ts";
import type { SqlRule, Task } from "../../policies/task.ts";
import { fail, exit as programExit } from "../exit.ts";
import { reasonOf } from "../folders.ts";
import { exit, type PolicyIo } from "./io.ts";
import { catalogPath, openLibrary } from "./library.ts";

/** `wicket policy catalog RESOURCE --postgres URL [--out FILE]`: stores the catalog with the library. */
export async function policyCatalog(
  options: { policies: string; resource: string; postgres: string; out?: string | undefined },
  io: PolicyIo,
): Promise<number> {
  const compiled = openLibrary(options.policies);
  if (!compiled.ok) {
    io.err("the library has errors: wicket policy check");
    return exit.failure;
  }
  if (!Object.hasOwn(compiled.library.bundle.resources, options.resource)) {
    io.err(`there is no resource \`${options.resource}\` in resources.yaml`);
    return exit.usage;
  }
  const catalog = await readCatalog(options.postgres, compiled.library, options.resource);
  const path = options.out ?? catalogPath(options.policies, options.resource);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${catalogText(catalog)}\n`);
  io.err(`${path}: ${catalog.relations.length} relations`);
  return exit.ok;
}

/** JSON with one line a relation, so that a change of the database can be read in a diff. */
function catalogText(catalog: Catalog): string {
  const members = Object.entries(catalog).map(([key, value]) => {
    const lines = Array.isArray(value) ? value.map((item) => `\n    ${JSON.stringify(item)}`) : null;
    return `  ${JSON.stringify(key)}: ${lines?.length ? `[${lines.join(",")}\n  ]` : JSON.stringify(value)}`;
  });
  return `{\n${members.join(",\n")}\n}`;
}

/** The catalog of every relation outside the system schemas, with the functions that the library's tasks name. */
export async function readCatalog(url: string, library: Library, resource: string): Promise<Catalog> {
  const client = new pg.Client({ connectionString: url, application_name: "wicket policy" });
  try {
    await client.connect();
  } catch (error) {
    const why = `the database of ${resource} cannot be opened (${reasonOf(error)})`;
    throw fail(programExit.unreachable, "DATABASE_UNREACHABLE", why, "See --postgres.");
  }
  try {
    const found = await client.query<{ schema: string; name: string }>(
      `SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        ORDER BY 1, 2`,
    );
    const functions = Object.values(library.bundle.tasks)
      .filter((task) => task.resource === resource)
      .flatMap((task) => task.functions);
    const rows: Record<string, readonly CatalogRow[]> = {};
    for (const { name, text, values } of catalogQueries(found.rows, [...new Set(functions)])) {
      rows[name] = (await client.query<Record<string, unknown>>(text, [...values])).rows;
    }
    return buildCatalog(rows);
  } finally {
    await client.end();
  }
}

/** What a session of the task would know: only the relations that it names. */
export function restrictCatalog(catalog: Catalog, task: Task): Catalog {
  const named = new Set(task.rules.map(relationOf));
  return { ...catalog, relations: catalog.relations.filter((relation) => named.has(relationOf(relation))) };
}

/** Type and type category by mask, where a mask says something of the type. */
const guesses: Readonly<Record<string, readonly [string, string]>> = {
  year: ["date", "D"],
  month: ["date", "D"],
  round: ["numeric", "N"],
};

/** A catalog from the task alone: the columns that it names, of type text unless their mask says otherwise. */
export function guessCatalog(task: Task): Catalog {
  const relations: CatalogRelation[] = [];
  const groups = new Map<string, SqlRule[]>();
  for (const rule of task.rules)
    groups.set(relationOf(rule), [...(groups.get(relationOf(rule)) ?? []), rule]);
  for (const rules of groups.values()) {
    const masks = Object.assign({}, ...rules.map(({ mask }) => mask)) as SqlRule["mask"];
    const names = new Set(
      rules.flatMap(({ columns, mask }) => [...(columns === "*" ? [] : columns), ...Object.keys(mask)]),
    );
    const { schema, relation } = rules[0]!;
    relations.push({
      oid: 16384 + relations.length,
      schema,
      name: relation,
      kind: "r",
      primaryKey: [],
      columns: [...names].map((name, i): CatalogColumn => {
        const [type, category] = guesses[masks[name]?.kind ?? ""] ?? ["text", "S"];
        return {
          name,
          number: i + 1,
          type,
          typeOid: 25,
          category,
          notNull: false,
          generated: false,
          baseType: null,
          labels: null,
          groupable: true,
          userCasts: false,
        };
      }),
    });
  }
  const body = {
    serverVersion: 180000,
    database: task.resource,
    relations,
    foreignOperators: [],
    fieldFunctions: [],
    unsafeCasts: false,
    castTargets: [],
    ownRole: true,
    types: [],
    systemRelations: [],
    functions: [],
  };
  return { digest: digestOf(body), ...body };
}

function relationOf({
  schema,
  ...rest
}: { schema: string } & ({ relation: string } | { name: string })): string {
  return JSON.stringify([schema, "relation" in rest ? rest.relation : rest.name]);
}
