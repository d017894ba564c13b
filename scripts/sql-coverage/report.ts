/** docs/sql-coverage.md from what a run of the suite found. */
import type { Findings, Outcome, Place } from "./runner.ts";

type Select = Findings["selects"][number];

/** Why a kind of refusal is meant; the first that fits. */
const REFUSALS: readonly [RegExp, string][] = [
  [
    /RELATION_NOT_FOUND.*\bpg_/,
    "a system catalog with secrets, sampled values or other sessions in it is never readable",
  ],
  [
    /RELATION_NOT_FOUND/,
    "a name of the suite's own: a temporary table, a relation in another schema, or one that is not there",
  ],
  [
    /TYPE_NOT_ALLOWED/,
    "a type of the database's own that is no enum or plain domain: its input or casts may run a function",
  ],
  [
    /may not call (\w+\.)?(nextval|setval|currval|lastval)\b/,
    "a sequence is changed or shows what other sessions did",
  ],
  [/may not call (\w+\.)?(lo_\w+|lo\w+|loread|lowrite)\b/, "large objects have no grants"],
  [
    /FUNCTION_NOT_ALLOWED/,
    "a function that is not on the allow-list, or one of the suite's own that is overloaded or missing",
  ],
  [/OPERATOR_NOT_ALLOWED/, "an operator that the suite made over built-in types"],
  [/SETTING_NOT_ALLOWED/, "a setting that no task may read or change"],
  [
    /LOCK_NOT_ALLOWED|RELATION_NOT_GRANTED|WRITE/,
    "a write in a WITH query or a lock, which the read-only task of this measure does not grant",
  ],
  [/CHANNEL_NOT_GRANTED/, "a channel that the task of this measure does not list"],
  [/SYNTAX_NOT_ALLOWED/, "a form that is not rewritten"],
  [/./, "another rule"],
];

export interface Report {
  readonly text: string;
  /** Share of equal answers among the SELECTs that were let through and can be compared. */
  readonly share: number;
}

export function report(findings: Findings, origin: string, server: string, sample = 1): Report {
  const { selects } = findings;
  const of = (kind: Outcome["kind"]) => selects.filter((one) => one.outcome.kind === kind);
  const [equal, refused, different] = [of("equal"), of("refused"), of("different")];
  const [unrepeatable, elsewhere] = [of("unrepeatable"), of("elsewhere")];
  const compared = equal.length + different.length;
  // A run that compares little shows little.
  const share = compared < selects.length / 2 ? 0 : equal.length / compared;
  const valid = findings.statements - findings.invalid;
  const percent = (part: number, whole: number) => `${((100 * part) / (whole || 1)).toFixed(2)} %`;
  const text = `# SQL coverage

Made by \`npm run sql-coverage\`; do not edit. PostgreSQL's own regression suite (${origin}) on PostgreSQL ${server}, each
SELECT run as it is and through the gate (parse, decide, rewrite, wire) with a task that grants every relation and
function it names and masks nothing.

| what | figure |
| --- | --- |
| statements of the suite | ${findings.statements} |
| that the server refuses as a syntax error | ${findings.invalid} |
| that the server runs and the parser does not take | ${findings.unparsed.length} |
| parsed, of those that are valid | ${percent(valid - findings.unparsed.length, valid)} |
| SELECTs${sample > 1 ? `, one of ${sample}` : ""} | ${selects.length} |
| let through, answer equal | ${equal.length} |
| let through, answer different | ${different.length} |
| **equal, of those let through** | **${percent(equal.length, equal.length + different.length)}** (target 99.5 %) |
| refused | ${refused.length} |
| not comparable: two direct runs differ | ${unrepeatable.length} |
| not comparable: under another role or search path, which the gate lets nobody set | ${elsewhere.length} |

Equal means: rows, their order and their description (names, types, origins) byte for byte; of an error, its SQLSTATE,
because the words of an error that a function or a constraint raised are replaced by design.
Temporary tables of the suite are made as plain ones, so that a task can grant them by name like the others.

## Different answers

${listed(different, differs)}

## Refused

${listed(refused, ({ outcome }) => (outcome.kind === "refused" ? REFUSALS.find(([form]) => form.test(`${outcome.code} ${outcome.message}`))![1] : ""))}

## Texts on which parser and server differ

${findings.unparsed.length + findings.lenient.length === 0 ? "None." : [...findings.unparsed.map((place) => `- not parsed, but run: ${shown(place)}`), ...findings.lenient.map((place) => `- parsed, but a syntax error to the server: ${shown(place)}`)].join("\n")}
`;
  return { text, share };
}

/** Groups with their places, largest first. */
function listed(selects: readonly Select[], reason: (select: Select) => string): string {
  const groups = new Map<string, Select[]>();
  for (const one of selects) {
    const why = reason(one);
    groups.set(why, [...(groups.get(why) ?? []), one]);
  }
  if (groups.size === 0) return "None.";
  return [...groups]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([why, found]) => `**${found.length}: ${why}**\n\n${places(found)}`)
    .join("\n\n");
}

/** `file: 1, 2, 3`, and one example. */
function places(found: readonly Select[]): string {
  const files = new Map<string, number[]>();
  for (const { file, line } of found) files.set(file, [...(files.get(file) ?? []), line]);
  const lines = [...files].map(([file, at]) => `${file} ${at.join(", ")}`).join("; ");
  return `- for example ${shown(found[0]!)}\n- ${lines}`;
}

function shown({ file, line, sql }: Place): string {
  const text = sql
    .replaceAll(/--[^\n]*\n/g, " ")
    .replaceAll(/\s+/g, " ")
    .replaceAll("`", "'")
    .trim();
  return `${file}:${line} \`${text.length > 110 ? `${text.slice(0, 110)}…` : text}\``;
}

/** Why answers differ, by file and difference; the first that fits. */
const DIFFERENCES: readonly [RegExp, string][] = [
  [
    /^(misc|polymorphism|inherit)\.sql .*\((42883|42846)\)|whole row is of type record|^rowtypes\.sql .*other values/,
    "a whole row of a view is a record, not of the table's named type, so a function or cast for that type is not found",
  ],
  [
    /^opr_sanity\.sql/,
    "it reads the sources of functions (prosrc), which no task sees: the column is always empty, and of no table",
  ],
  [
    /^(strings|plpgsql)\.sql/,
    "the suite turned standard_conforming_strings or another setting off before it, which the gate keeps on",
  ],
  [
    /\(42803\)/,
    "columns that a primary key determines, where the key is grouped by as the merged column of a JOIN … USING",
  ],
  [
    /^polymorphism\.sql .*other values/,
    "the suite made a concat() of its own; an unqualified built-in name means the built-in function here",
  ],
];

/** Why an answer differs, where it is known, and how. */
function differs({ file, outcome }: Select): string {
  if (outcome.kind !== "different") return "";
  const how = general(outcome.why);
  const why = DIFFERENCES.find(([form]) => form.test(`${file} ${how}`))?.[1];
  return why ?? how;
}

/** A difference without the names and values of the one case. */
function general(why: string): string {
  return why
    .replace(/^row \d+: .*$/s, "other values in a row")
    .replace(/^error null \| (\w+)$/, "an error ($1) that the direct statement does not raise")
    .replace(/^error (\w+) \| null$/, "no error where the direct statement raises $1")
    .replace(/^type of \S+: .*$/, "another type of a column")
    .replace(/^the length in the type of .*$/, "another length in the type of a column")
    .replace(/^\d+ columns \| \d+ columns$/, "another number of columns");
}
