/** A task said in plain words: for the console, `wicket tasks` and `wicket policy show`. */
import { hoursWords } from "./hours.ts";
import { paramWords } from "./params.ts";
import type { HttpRule, KubernetesRule, Mask, ParamType, SqlRule, SqlVerb, Task } from "./task.ts";
import { durationWords, sizeWords } from "./units.ts";

/** The parts of a task as sentences without a final stop. */
export interface TaskWords {
  readonly name: string;
  readonly description: string;
  readonly who: readonly string[];
  /** What may be done, one entry a rule. */
  readonly may: readonly { readonly text: string; readonly at: string; readonly approval: boolean }[];
  /** What must be given or hold before it starts. */
  readonly needs: readonly string[];
  readonly limits: readonly string[];
  readonly recording: string;
}

/** Everything that a task allows and asks for. */
export function taskInWords(task: Task): TaskWords {
  return {
    name: task.name,
    description: task.description,
    who: whoWords(task),
    may: [
      ...task.rules.map((rule) => ({
        text: sqlRuleWords(rule),
        at: rule.at,
        approval: rule.approval !== null,
      })),
      ...task.requestRules.map((rule) => ({
        text: rule.kind === "http" ? httpRuleWords(rule) : kubernetesRuleWords(rule),
        at: rule.at,
        approval: rule.approval !== null,
      })),
      ...task.functions.map((name) => ({ text: `call ${name}()`, at: task.at, approval: false })),
      ...(task.session.pooled
        ? [{ text: "put a session back to its start, as pools do", at: task.refs.session, approval: false }]
        : []),
      ...(["listen", "notify"] as const).flatMap((key) =>
        (task.session[key] ?? []).map((channel) => ({
          text: `${key === "listen" ? "listen on" : "send to"} the channel ${channel}`,
          at: task.refs.session,
          approval: false,
        })),
      ),
      ...(task.session.temporaryTables
        ? [{ text: "keep what it sees in temporary tables", at: task.refs.session, approval: false }]
        : []),
    ],
    needs: needWords(task),
    limits: limitWords(task),
    recording: recordingWords(task),
  };
}

/** The words of a task as lines of text for a terminal. */
export function taskText(task: Task): string {
  const words = taskInWords(task);
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  - ${line}`)];
  return [
    `${words.name} (on ${task.resource})`,
    ...(words.description ? [words.description] : []),
    ...section("Who may run it", words.who),
    ...section(
      "What it allows",
      words.may.map(
        ({ text, at, approval }) => `${text}${approval ? "; each use is approved" : ""}  [${at}]`,
      ),
    ),
    ...section("What it needs", words.needs),
    ...section("Its limits", words.limits),
    ...section("What is recorded", [words.recording]),
  ].join("\n");
}

function whoWords(task: Task): string[] {
  const groups = task.who.groups.map((group) => `people in the group ${group}`);
  const workloads = task.who.workloads.map(({ issuer, claims }) => {
    const all = Object.entries(claims).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
    return `programs with a token of ${issuer} where ${all.join(" and ")}`;
  });
  return [...groups, ...workloads];
}

const verbWords: Readonly<Record<SqlVerb, string>> = {
  select: "read",
  insert: "add rows to",
  update: "change",
  delete: "delete rows of",
  merge: "merge rows into",
  truncate: "empty",
  copy: "load rows into",
};

/** `read public.customers: id, email (as t***@example.com); only rows where id = :customer`. */
export function sqlRuleWords(rule: SqlRule): string {
  const columns =
    rule.columns === "*"
      ? ["all columns", ...Object.keys(rule.mask).map((column) => columnWords(rule, column))]
      : rule.columns.map((column) => columnWords(rule, column));
  const what = columns.length === 0 ? "" : `: ${columns.join(", ")}`;
  const rows = rule.rows === null ? "" : `; only rows where ${rule.rows}`;
  return `${verbWords[rule.verb]} ${rule.schema}.${rule.relation}${what}${rows}`;
}

function columnWords(rule: SqlRule, column: string): string {
  const notes: string[] = [];
  if (Object.hasOwn(rule.mask, column)) notes.push(maskWords(rule.mask[column]!));
  if (rule.lookup.includes(column)) notes.push("can be looked up by its real value");
  const found = Object.hasOwn(rule.detect, column) ? rule.detect[column]! : [];
  if (found.length > 0) notes.push(`${found.join(", ")} found in it are hidden`);
  return notes.length === 0 ? column : `${column} (${notes.join("; ")})`;
}

/** How a masked value looks. */
export function maskWords(mask: Mask): string {
  switch (mask.kind) {
    case "null":
      return "always empty";
    case "constant":
      return `always ${mask.value}`;
    case "email":
      return "first letter and domain only";
    case "keep": {
      const ends = [
        ...(mask.first > 0 ? [`the first ${mask.first}`] : []),
        ...(mask.last > 0 ? [`the last ${mask.last}`] : []),
      ];
      return ends.length === 0 ? "every character hidden" : `only ${ends.join(" and ")} characters shown`;
    }
    case "token":
      return "a token: equal values have equal tokens";
    case "year":
      return "the year only";
    case "month":
      return "the year and month only";
    case "round":
      return mask.digits >= 0 ? `rounded to ${mask.digits} decimals` : `rounded to ${10 ** -mask.digits}s`;
  }
}

function kubernetesRuleWords(rule: KubernetesRule): string {
  const where = rule.namespaces.length === 0 ? "outside namespaces" : `in ${rule.namespaces.join(", ")}`;
  const named = rule.names === null ? "" : ` named ${rule.names.join(" or ")}`;
  const labels = Object.entries(rule.labels).map(([name, value]) => `${name}=${value}`);
  const labelled = labels.length === 0 ? "" : ` labelled ${labels.join(", ")}`;
  const commands = rule.commands === null ? "" : `; commands ${rule.commands.join(", ")}`;
  const ports = rule.ports === null ? "" : `; ports ${rule.ports.join(", ")}`;
  const groups = rule.apiGroups.filter((group) => group !== "");
  const of = groups.length === 0 ? "" : ` of ${groups.join(", ")}`;
  return `${rule.verbs.join(", ")} ${rule.resources.join(", ")}${of}${named}${labelled} ${where}${commands}${ports}${masked(rule)}`;
}

function httpRuleWords(rule: HttpRule): string {
  const query = rule.query.length === 0 ? "" : ` with the query keys ${rule.query.join(", ")}`;
  return `${rule.methods.join(", ")} ${rule.paths.join(", ")}${query}${masked(rule)}`;
}

function masked({ mask }: { readonly mask: Readonly<Record<string, Mask>> }): string {
  const fields = Object.entries(mask).map(([path, mask]) => `${path} (${maskWords(mask)})`);
  return fields.length === 0 ? "" : `; masked: ${fields.join(", ")}`;
}

function needWords(task: Task): string[] {
  const { reason, mfa, hours } = task.require;
  const params = Object.entries(task.params) as [string, ParamType][];
  const approval = task.approval;
  return [
    ...(reason === null ? [] : [`a reason of the form ${reason}`]),
    ...params.map(([name, type]) => `${name}: ${paramWords[type]}`),
    ...(mfa ? ["a login with a second factor"] : []),
    ...(hours === null ? [] : [`a time within ${hoursWords(hours)}`]),
    ...(approval === null
      ? []
      : [
          `the yes of ${approval.count === 1 ? "one person" : `${approval.count} people`} in ` +
            `${approval.from.groups.join(" or ")} within ${durationWords(approval.expiresMs)}` +
            (approval.emergency
              ? `, or an emergency (at most ${approval.emergency.quota} in 24 hours) that ${approval.emergency.review.groups.join(" or ")} review afterwards`
              : ""),
        ]),
  ];
}

function limitWords(task: Task): string[] {
  const { rows, statements, bytes, statementTimeoutMs, lookups } = task.limits;
  const { ttlMs, idleMs, maxConcurrent } = task.session;
  return [
    ...(rows === null ? [] : [`at most ${rows} rows`]),
    ...(statements === null ? [] : [`at most ${statements} statements`]),
    ...(bytes === null ? [] : [`at most ${sizeWords(bytes)} of results`]),
    ...(statementTimeoutMs === null ? [] : [`each statement at most ${durationWords(statementTimeoutMs)}`]),
    ...(lookups === null ? [] : [`at most ${lookups} look-ups by a masked value`]),
    `a session lives at most ${durationWords(ttlMs)}, and ${durationWords(idleMs)} without a statement`,
    ...(maxConcurrent === null ? [] : [`at most ${maxConcurrent} open at a time`]),
  ];
}

function recordingWords(task: Task): string {
  const { level, onFailure, sealed } = task.recording;
  const what =
    level === "full" ? "every statement and the rows as you see them" : "every statement, not the rows";
  const else_ =
    onFailure === "terminate" ? "a session that cannot be recorded ends" : "it goes on when it cannot be";
  const readers = sealed ? ", sealed: only its auditors can read it" : "";
  return `${what}${readers}; ${else_}`;
}
