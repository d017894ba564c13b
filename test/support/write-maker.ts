/**
 * Makes statements that change data, over the tables of the fuzz test. Tables and rows are called by names that also mean
 * columns, hidden ones above all: what a name means is where a write can go wrong.
 */
import { random } from "./labelled-texts.ts";

const TABLES: Readonly<
  Record<string, { readonly open: readonly string[]; readonly hidden: readonly string[] }>
> = {
  people: { open: ["id", "name", "city"], hidden: ["email", "ssn", "salary", "born", "note", "secret"] },
  pets: { open: ["id", "owner", "name"], hidden: ["chip"] },
  notes: { open: ["id", "body", "n"], hidden: ["secret", "more"] },
};
const ALIASES = [
  "t",
  "secret",
  "email",
  "body",
  "more",
  "excluded",
  "old",
  "new",
  "wicket_row",
  "notes",
  "people",
  '"T é"',
];

/** The next statement of a seed. */
export function writeMaker(seed: number): string {
  const chance = random(seed);
  const below = (limit: number) => Math.floor(chance() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const maybe = (part: number, text: () => string) => (chance() < part ? text() : "");
  const name = pick(["notes", "notes", "notes", "people", "pets"]);
  const table = TABLES[name]!;
  const alias = chance() < 0.3 ? name : chance() < 0.5 ? pick(ALIASES) : pick(table.hidden);
  const named = alias === name ? name : `${name} AS ${alias}`;
  let other: { name: string; alias: string } | null = null;
  let depth = 3;

  const columnOf = (of: string): string => {
    const { open, hidden } = TABLES[of]!;
    return chance() < 0.82 ? pick(open) : pick(hidden);
  };
  const qualified = (): string => {
    const from = other && chance() < 0.3 ? other : { name, alias };
    return pick([
      () => `${from.alias}.${columnOf(from.name)}`,
      () => columnOf(from.name),
      () => `(${from.alias}).${columnOf(from.name)}`,
    ])();
  };
  /** A whole row, in one of the ways to say so. */
  const row = (): string =>
    pick([
      () => alias,
      () => `${alias}.*`,
      () => other?.alias ?? alias,
      () => `(SELECT ${alias})`,
      () => `(SELECT x FROM (SELECT ${alias}.*) AS x)`,
      () => `(SELECT ${alias} FROM (SELECT 1) AS q(${pick(["z", "secret", "wicket_row"])}))`,
      () => pick(["old", "new", "excluded"]),
      () => `ROW(${alias}.*)`,
    ])();
  const value = (): string => {
    depth -= 1;
    if (depth < 0) return pick([qualified, () => "'k'", () => String(below(9))])();
    return pick([
      qualified,
      qualified,
      () => `to_jsonb(${row()})::text`,
      () => `(${row()})::text`,
      () => `md5((${row()})::text)`,
      () => `(SELECT ${value()})`,
      () => `(SELECT max(p.${columnOf("people")}::text) FROM people p WHERE p.id = ${alias}.id)`,
      () =>
        `(SELECT count(*) FROM notes ${pick(ALIASES)} WHERE ${pick(ALIASES)}.${columnOf("notes")} IS NOT NULL)`,
      () => `coalesce(${value()}::text, ${value()}::text)`,
      () => `CASE WHEN ${condition()} THEN ${value()}::text ELSE ${value()}::text END`,
      () => `1 / (${alias}.id - ${below(4)})`,
    ])();
  };
  const condition = (): string => {
    depth -= 1;
    if (depth < 0) return `${alias}.id < ${below(9)}`;
    return pick([
      () => `${alias}.id ${pick(["=", "<", "<>"])} ${below(9)}`,
      () => `${value()}::text LIKE '%${pick(["a", "1", "zq"])}%'`,
      () => `${row()} IS ${pick(["", "NOT "])}NULL`,
      () => `(${row()}) IS DISTINCT FROM (${row()})`,
      () => `${qualified()} IS NOT NULL AND ${condition()}`,
      () => `EXISTS (SELECT 1 FROM ${pick(["people", "notes"])} AS ${pick(ALIASES)} WHERE ${condition()})`,
      () => `${value()}::text = ${value()}::text`,
    ])();
  };
  const returning = () =>
    maybe(0.8, () => {
      const shown = Array.from({ length: 1 + below(2) }, () =>
        pick([
          () => "*",
          () => `${alias}.*`,
          row,
          row,
          value,
          () => `to_jsonb(${row()})`,
          () => `${row()} IS NULL`,
        ])(),
      );
      return ` RETURNING ${shown.join(", ")}`;
    });
  const join = (word: string) =>
    maybe(0.35, () => {
      const of = pick(["people", "pets", "notes"]);
      other = { name: of, alias: pick(ALIASES.filter((one) => one !== alias)) };
      const lateral = maybe(
        0.15,
        () => `, LATERAL (SELECT ${value()} AS ${pick(["z", "secret"])}) AS ${pick(ALIASES)}`,
      );
      return ` ${word} ${pick([of, `(SELECT * FROM ${of})`])} AS ${other.alias}${lateral}`;
    });
  const set = () => {
    if (name === "notes" && chance() < 0.2)
      return pick([
        () => `SET (body, n) = (SELECT ${value()}::text, ${below(9)})`,
        () => `SET (body) = ROW(${value()}::text)`,
        () => `SET (n, body) = (${below(9)}, ${value()}::text)`,
        () => `SET body = DEFAULT, n = length(${value()}::text)`,
      ])();
    const written = pick(name === "notes" ? ["body", "n", "body"] : ["name"]);
    return `SET ${written} = ${written === "n" ? String(below(9)) : `${value()}::text`}`;
  };
  const update = () => {
    // What is joined comes first, so that names may mean it.
    const from = join("FROM");
    return `UPDATE ${named} ${set()}${from}${maybe(0.8, () => ` WHERE ${condition()}`)}${returning()}`;
  };
  const remove = () => {
    const using = join("USING");
    return `DELETE FROM ${named}${using}${maybe(0.8, () => ` WHERE ${condition()}`)}${returning()}`;
  };
  const insert = () => {
    const into = name === "pets" ? "(id, owner, name)" : "(id, body)";
    const key = 1 + below(14);
    const rows = name === "pets" ? `(${key}, 1, 'w')` : `(${key}, ${pick(["'w'", "DEFAULT"])})`;
    const conflict = maybe(0.6, () =>
      pick([
        () => " ON CONFLICT (id) DO NOTHING",
        () => ` ON CONFLICT (${pick(["body", "id, secret", "lower(body)"])}) DO NOTHING`,
        () => ` ON CONFLICT (id) DO UPDATE ${set()}${maybe(0.6, () => ` WHERE ${condition()}`)}`,
      ])(),
    );
    return `INSERT INTO ${named} ${into} VALUES ${rows}${conflict}${returning()}`;
  };
  const merge = () => {
    other = { name: "people", alias: pick(ALIASES.filter((one) => one !== alias)) };
    const when = pick([`UPDATE ${set()}`, "DELETE", "DO NOTHING"]);
    return `MERGE INTO ${named} USING people AS ${other.alias} ON ${alias}.id = ${other.alias}.id WHEN MATCHED${maybe(0.5, () => ` AND ${condition()}`)} THEN ${when}${maybe(0.4, returning)}`;
  };
  /** A row of one statement, in another. */
  const chained = () =>
    `WITH ${pick(["w", "notes", "secret"])} AS (DELETE FROM notes AS ${alias} WHERE ${condition()} RETURNING ${row()}, ${alias}.id) ` +
    `INSERT INTO pets (id, owner, name) SELECT 50 + id, 1, ${pick(["w", "notes", "secret"])}::text FROM ${pick(["w", "notes", "secret"])} RETURNING *`;
  const made =
    name === "people" ? pick([update]) : pick([update, update, remove, insert, insert, merge, chained]);
  const statement = made();
  return (
    maybe(0.1, () => `WITH w AS (${statement}) SELECT ${pick(["w", "w.*", "to_jsonb(w)"])} FROM w`) ||
    statement
  );
}
