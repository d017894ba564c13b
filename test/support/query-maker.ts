/** Makes queries over the tables of the fuzz test: valid in form, and as entangled as a few levels allow. */
import { random } from "./labelled-texts.ts";

/** Columns by relation, with a type that says which expressions they fit in. */
const TABLES: Readonly<Record<string, Readonly<Record<string, "text" | "int" | "date">>>> = {
  people: {
    id: "int",
    name: "text",
    email: "text",
    ssn: "text",
    salary: "int",
    born: "date",
    city: "text",
    note: "text",
  },
  pets: { id: "int", owner: "int", name: "text", chip: "text" },
  "public.people": { id: "int", email: "text", salary: "int" },
  // Not granted, or not there.
  vault: { id: "int", token: "text" },
};

export interface QueryMaker {
  /** The next statement. */
  next(): string;
}

interface Item {
  readonly alias: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

export function queryMaker(seed: number): QueryMaker {
  const chance = random(seed);
  const below = (limit: number) => Math.floor(chance() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const maybe = (part: number, text: () => string) => (chance() < part ? text() : "");
  let names = 0;

  function table(): { sql: string; item: Item } {
    const name = chance() < 0.03 ? "vault" : pick(["people", "people", "pets", "public.people"]);
    names += 1;
    const alias =
      chance() < 0.2 && !name.includes(".") && names > 1
        ? name
        : `${pick(["a", "b", '"T é"', "x"])}`.replace(/^(\w)$/, `$1${names}`);
    const columns = Object.entries(TABLES[name]!).map(([column, type]) => ({ name: column, type }));
    const sample = maybe(0.04, () => " TABLESAMPLE SYSTEM (100)");
    return {
      sql: `${maybe(0.05, () => "ONLY ")}${name} ${alias === name ? "" : pick(["", "AS "]) + alias}${sample}`,
      item: { alias, columns },
    };
  }

  function column(items: readonly Item[], type: string): string | null {
    const found = items.flatMap((item) =>
      item.columns.filter((one) => one.type === type).map((one) => `${item.alias}.${one.name}`),
    );
    return found.length === 0 ? null : pick(found);
  }

  function text(items: readonly Item[], depth: number): string {
    const inner = () => text(items, depth - 1);
    if (depth <= 0) return column(items, "text") ?? "'none'";
    return pick([
      inner,
      () => `lower(${inner()})`,
      () => `substr(${inner()}, ${1 + below(4)}, ${1 + below(9)})`,
      () => `(${inner()} || ${pick(["''", "'-'", inner()])})`,
      () => `coalesce(${inner()}, ${inner()})`,
      () => `md5(${inner()})`,
      () => `reverse(${inner()})`,
      () => `regexp_replace(${inner()}, '[0-9]', 'n', 'g')`,
      () => `split_part(${inner()}, '@', ${1 + below(2)})`,
      () => `CASE WHEN ${condition(items, depth - 1)} THEN ${inner()} ELSE ${inner()} END`,
      () => `(${number(items, depth - 1)})::text`,
      () => `(${column(items, "date") ?? "NULL::date"})::text`,
      () => (items.length > 0 ? `${pick(items).alias}::text` : "''"),
      () => (items.length > 0 ? `row_to_json(${pick(items).alias})::text` : "''"),
      () =>
        `(SELECT ${pick(["min", "max"])}(z.email) FROM people AS z${maybe(0.5, () => ` WHERE z.city = ${inner()}`)})`,
      () => `encode(convert_to(${inner()}, 'UTF8'), 'hex')`,
      () => `translate(${inner()}, 'ab', 'ba')`,
      () => `concat_ws(',', ${inner()}, ${number(items, depth - 1)})`,
      () => `format('%s/%s', ${inner()}, ${inner()})`,
      () => `(ARRAY[${inner()}, ${inner()}])[${1 + below(2)}]`,
    ])();
  }

  function number(items: readonly Item[], depth: number): string {
    if (depth <= 0) return column(items, "int") ?? String(below(9));
    return pick([
      () => number(items, depth - 1),
      () => `length(${text(items, depth - 1)})`,
      () => `ascii(${text(items, depth - 1)})`,
      () =>
        `(${number(items, depth - 1)} ${pick(["+", "-", "*", "%", "/"])} ${pick(["2", "7", number(items, 0)])})`,
      () => `position('a' IN ${text(items, depth - 1)})`,
      () => `extract(year FROM ${column(items, "date") ?? "DATE '2000-01-01'"})::int`,
      () => `(${text(items, depth - 1)})::int`,
      () => `(SELECT count(*) FROM pets AS y WHERE y.name < ${text(items, depth - 1)})::int`,
      () => `nullif(${number(items, depth - 1)}, 3)`,
    ])();
  }

  function condition(items: readonly Item[], depth: number): string {
    const inner = () => condition(items, depth - 1);
    if (depth <= 0)
      return `${text(items, 0)} ${pick(["<", ">", "=", "<>", "~"])} '${pick(["a", "m", "1", "z"])}'`;
    return pick([
      inner,
      () => `${text(items, depth - 1)} LIKE '%${pick(["1", "a", "zq", "@"])}%'`,
      () => `${number(items, depth - 1)} ${pick(["<", ">", "=", ">="])} ${below(2000)}`,
      () => `${text(items, depth - 1)} ${pick(["=", "<"])} ${text(items, depth - 1)}`,
      () => `${text(items, depth - 1)} IS ${pick(["", "NOT "])}NULL`,
      () => `(${inner()} ${pick(["AND", "OR"])} ${inner()})`,
      () => `NOT ${inner()}`,
      () =>
        `EXISTS (SELECT ${pick(["1", "*"])} FROM people AS w WHERE ${condition([...items, { alias: "w", columns: [{ name: "ssn", type: "text" }] }], depth - 1)})`,
      () => `${text(items, depth - 1)} IN (SELECT p.email FROM people p)`,
      () => `1 / (${number(items, 0)} - ${below(5)}) > 0`,
      () => `${column(items, "date") ?? "DATE '2000-01-01'"} > '19${10 + below(89)}-06-01'`,
    ])();
  }

  function from(depth: number): { sql: string; items: Item[] } {
    const first = source(depth);
    const items = [first.item];
    let sql = first.sql;
    while (chance() < 0.35 && items.length < 3) {
      const next = source(depth);
      items.push(next.item);
      const kind = pick(["JOIN", "LEFT JOIN", "FULL JOIN", "CROSS JOIN", ","]);
      sql += ` ${kind} ${next.sql}${kind === "," || kind === "CROSS JOIN" ? "" : kind === "FULL JOIN" ? ` ON ${number(items.slice(0, 1), 0)} = ${number(items.slice(-1), 0)}` : ` ON ${condition(items, 1)}`}`;
    }
    return { sql, items };
  }

  function source(depth: number): { sql: string; item: Item } {
    if (depth <= 0 || chance() < 0.7) return table();
    names += 1;
    const alias = `s${names}`;
    return {
      sql: `(${select(depth - 1, 2)}) AS ${alias}(c1, c2)`,
      item: {
        alias,
        columns: [
          { name: "c1", type: "text" },
          { name: "c2", type: "int" },
        ],
      },
    };
  }

  function select(depth: number, width: number): string {
    const { sql, items } = from(depth);
    const targets = Array.from({ length: width }, (_, index) =>
      index % 2 === 0 ? text(items, 2) : number(items, 2),
    );
    const grouped = chance() < 0.2;
    const shape = grouped
      ? {
          list: targets.map((one, index) =>
            index % 2 === 0 ? `string_agg(${one}, ',' ORDER BY ${number(items, 0)})` : `sum(${one})`,
          ),
          tail: maybe(
            0.7,
            () => ` GROUP BY ${text(items, 1)}${maybe(0.4, () => ` HAVING count(*) > ${below(2)}`)}`,
          ),
        }
      : { list: targets, tail: "" };
    const set = maybe(
      0.1,
      () =>
        ` ${pick(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"])} SELECT ${Array.from({ length: width }, (_, index) => (index % 2 === 0 ? "email" : "id")).join(", ")} FROM people`,
    );
    return `SELECT ${maybe(0.1, () => "DISTINCT ")}${shape.list.join(", ")} FROM ${sql}${maybe(0.6, () => ` WHERE ${condition(items, 2)}`)}${shape.tail}${set}`;
  }

  function statement(): string {
    const order = maybe(0.4, () => " ORDER BY 1, 2");
    const base = `${select(2, 2)}${order}`;
    return pick([
      () => base,
      () => base,
      () =>
        `SELECT *, rank() OVER (ORDER BY ${text(
          [
            {
              alias: "q",
              columns: [
                { name: "email", type: "text" },
                { name: "ssn", type: "text" },
              ],
            },
          ],
          1,
        )}) FROM people AS q ORDER BY id`,
      () => `WITH c AS ${maybe(0.3, () => "MATERIALIZED ")}(${select(1, 2)}) SELECT * FROM c ORDER BY 1, 2`,
      () =>
        `WITH RECURSIVE r(n, t) AS (SELECT 1, email FROM people UNION ALL SELECT n + 1, reverse(t) FROM r WHERE n < 3) SELECT * FROM r ORDER BY 1, 2`,
      () => `COPY (${base}) TO STDOUT${maybe(0.3, () => " (FORMAT csv)")}`,
      () => `TABLE ${pick(["people", "pets"])}`,
      () =>
        `SELECT p.*, l.* FROM people p, LATERAL (${select(0, 2).replace(/ FROM /, ", p.email FROM ")}) AS l`,
      () => `SELECT j.key, j.value FROM people p, json_each_text(row_to_json(p)) AS j ORDER BY 1, 2`,
      () => `/* zé */ ${base} -- end`,
      () => `EXPLAIN (COSTS off) ${base}`,
      () => `SELECT * FROM people NATURAL JOIN pets`,
      () =>
        `SELECT count(*) FILTER (WHERE ${condition(
          [
            {
              alias: "people",
              columns: [
                { name: "ssn", type: "text" },
                { name: "salary", type: "int" },
              ],
            },
          ],
          2,
        )}) FROM people`,
    ])();
  }

  return {
    next() {
      names = 0;
      return statement();
    },
  };
}
