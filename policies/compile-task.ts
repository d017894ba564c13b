/** One task file, read and checked, to one task. What a single shape cannot see is checked here. */
import { isMap } from "yaml";
import { digestOf } from "./canonical.ts";
import { requestRulesOf } from "./compile-request-rules.ts";
import { type Read, type sqlItem, taskShapes } from "./model.ts";
import { parseQualified } from "./names.ts";
import { nearest } from "./nearest.ts";
import { findPlaceholders } from "./placeholders.ts";
import type { Place } from "./problem.ts";
import { type LocatedText, scalar } from "./shape.ts";
import { readSource, type SourceReader } from "./source.ts";
import type { ParamType, RequestRule, Resource, SqlRule, SqlVerb, Task, TaskEmergency } from "./task.ts";

/** A task file as it was read, of any type of resource. */
export type TaskFile = Read<(typeof taskShapes)["postgres" | "kubernetes" | "http"]>;
type SqlItem = Read<typeof sqlItem>;
type SelectGrant = NonNullable<SqlItem["select"]>[number]["value"];

const sqlVerbs: readonly SqlVerb[] = ["select", "insert", "update", "delete", "merge", "truncate", "copy"];
const HOUR = 3_600_000;

/** Says what the SQL parser has against a `rows` condition, or null. `offset`: UTF-16 units into it. */
export type CheckRows = (
  rows: string,
  params: Readonly<Record<string, ParamType>>,
  relation: { readonly schema: string; readonly name: string },
) => { readonly message: string; readonly offset: number | null } | null;

/**
 * The task of `tasks/<name>.yaml`, or null when the file has errors, which are then among the problems.
 * `resources` decides which kind of rules the file may have.
 */
export function compileTask(
  file: string,
  text: string,
  resources: Readonly<Record<string, Resource>>,
  problems: Parameters<typeof readSource>[2],
  checkRows: CheckRows | null = null,
): Task | null {
  const errors = () => problems.filter(({ severity }) => severity === "error").length;
  const before = errors();
  const source = readSource(file, text, problems);
  if (source === null) return null;
  const { root, reader } = source;
  const type = resourceType(root, resources);
  const task = taskShapes[type].read(root, reader, { line: 1, column: 1 });
  if (task === undefined) return null;
  checkHead(task, file, resources, reader);
  const params = Object.fromEntries((task.params?.value ?? []).map(({ key, value }) => [key, value]));
  const rules = type === "postgres" ? sqlRules(task, params, reader, checkRows) : [];
  const requestRules = type === "postgres" ? [] : requestRulesOf(task, type, reader);
  if (type !== "postgres" && task.functions !== undefined) {
    reader.error(
      "NOT_FOR_RESOURCE",
      task.functions[0]!.at,
      `\`functions\` is for databases only`,
      "remove it",
    );
  }
  if (type !== "postgres" && task.session?.value.temporary_tables) {
    reader.error(
      "NOT_FOR_RESOURCE",
      task.session.at,
      "`temporary_tables` is for databases only",
      "remove it",
    );
  }
  if (type !== "postgres" && task.session?.value.pooled)
    reader.error("NOT_FOR_RESOURCE", task.session.at, "`pooled` is for databases only", "remove it");
  for (const key of ["listen", "notify"] as const)
    if (type !== "postgres" && task.session?.value[key])
      reader.error("NOT_FOR_RESOURCE", task.session.at, `\`${key}\` is for databases only`, "remove it");
  const functions = (task.functions ?? []).map(({ value, at }) => {
    const parts = parseQualified(value, "function");
    if (!("schema" in parts)) reader.error("BAD_NAME", at, parts.message, parts.fix);
    return value;
  });
  checkApproval(task, [...rules, ...requestRules], reader);
  if (errors() > before) return null;
  const body: Omit<Task, "digest"> = {
    version: 1,
    name: task.task.value,
    description: task.description ?? "",
    owner: task.owner ?? "",
    at: reader.ref(task.task.at),
    refs: refsOf(task, reader),
    who: {
      groups: task.who.value.groups ?? [],
      workloads: (task.who.value.workloads ?? []).map(({ value }) => ({
        issuer: value.issuer,
        claims: Object.fromEntries(value.claims.map(({ key, value }) => [key, value])),
      })),
    },
    require: {
      reason: task.require?.value.reason?.value ?? null,
      mfa: task.require?.value.mfa ?? false,
      hours: task.require?.value.hours ?? null,
    },
    params,
    resource: task.resource.value,
    resourceType: type,
    rules,
    requestRules,
    functions,
    limits: {
      rows: task.limits?.value.rows ?? null,
      statements: task.limits?.value.statements ?? null,
      bytes: task.limits?.value.bytes ?? null,
      statementTimeoutMs: task.limits?.value.statement_timeout ?? null,
      lookups: task.limits?.value.lookups ?? null,
    },
    session: {
      ttlMs: task.session?.value.ttl ?? HOUR,
      idleMs: task.session?.value.idle ?? HOUR / 6,
      maxConcurrent: task.session?.value.max_concurrent ?? null,
      // As with `sealed`.
      ...(task.session?.value.temporary_tables ? { temporaryTables: true as const } : {}),
      ...(task.session?.value.pooled ? { pooled: true as const } : {}),
      ...(task.session?.value.listen ? { listen: [...new Set(task.session.value.listen)] } : {}),
      ...(task.session?.value.notify ? { notify: [...new Set(task.session.value.notify)] } : {}),
    },
    approval: task.approval
      ? {
          from: { groups: task.approval.value.from.groups },
          count: task.approval.value.count ?? 1,
          expiresMs: task.approval.value.expires ?? HOUR / 4,
          ...emergencyOf(task.approval.value.emergency),
        }
      : null,
    recording: {
      level: task.recording?.value.level ?? "full",
      onFailure: task.recording?.value.on_failure ?? "terminate",
      durability: task.recording?.value.durability ?? "batched",
      // Left out where the task has none, so that its digest says nothing of it.
      ...(task.recording?.value.sealed ? { sealed: true as const } : {}),
    },
  };
  return { ...body, digest: digestOf(body) };
}

/** Left out where the task has none, so that its digest says nothing of it. */
function emergencyOf(
  given:
    | { readonly review: { readonly groups: readonly string[] }; readonly quota?: number | undefined }
    | undefined,
): { readonly emergency?: TaskEmergency } {
  return given ? { emergency: { review: given.review, quota: given.quota ?? 1 } } : {};
}

/** The type of the named resource; a database when it is not known, which is reported elsewhere. */
function resourceType(root: unknown, resources: Readonly<Record<string, Resource>>): Resource["type"] {
  if (!isMap(root)) return "postgres";
  const pair = root.items.find(({ key }) => scalar(key) === "resource");
  const name = scalar(pair?.value);
  return typeof name === "string" && Object.hasOwn(resources, name) ? resources[name]!.type : "postgres";
}

function checkHead(
  task: TaskFile,
  file: string,
  resources: Readonly<Record<string, Resource>>,
  reader: SourceReader,
): void {
  const expected = file.replace(/^.*\//, "").replace(/\.yaml$/, "");
  if (task.task.value !== expected) {
    const message = `the task is called \`${task.task.value}\` but its file is ${expected}.yaml`;
    reader.error("NAME_MISMATCH", task.task.at, message, `write \`task: ${expected}\` or rename the file`);
  }
  const { value: resource, at } = task.resource;
  if (!Object.hasOwn(resources, resource)) {
    const near = nearest(resource, Object.keys(resources));
    const fix = near ? `did you mean \`${near}\`?` : "add it to resources.yaml";
    reader.error("UNKNOWN_RESOURCE", at, `there is no resource \`${resource}\` in resources.yaml`, fix);
  }
  const { groups, workloads } = task.who.value;
  if (groups === undefined && workloads === undefined) {
    reader.error("NOBODY", task.who.at, "nobody may run this task", "add `groups` or `workloads`");
  }
  for (const { value, at } of workloads ?? []) {
    if (value.claims.length === 0) {
      const message = `every program with a token of ${value.issuer} could run this task`;
      reader.error("WORKLOAD_TOO_WIDE", at, message, "name the claims that tell one program from another");
    }
    for (const claim of value.claims) {
      if (typeof claim.value === "string" && /[*|^]/.test(claim.value)) {
        const message = `the claim \`${claim.key}\` is compared exactly: \`${claim.value}\` is no pattern`;
        reader.error("PATTERN_IN_CLAIM", claim.at, message, "write the whole value");
      }
      if (claim.key === "sub" && /^https:\/\/token\.actions\.githubusercontent\.com$/.test(value.issuer)) {
        const message = "the `sub` of GitHub tokens changes its form when a repository is renamed";
        reader.warn("FRAGILE_CLAIM", claim.at, message, "use repository_id and environment");
      }
    }
  }
  const reason = task.require?.value.reason;
  if (reason && /^[*?]*$/.test(reason.value)) {
    const message = `the reason pattern \`${reason.value}\` is met by any text`;
    reader.warn("WIDE_PATTERN", reason.at, message, 'write the form of a ticket, such as "INC-*"');
  }
  if ((task.session?.value.ttl ?? 0) > 8 * HOUR) {
    reader.warn(
      "LONG_SESSION",
      task.session!.at,
      "a session may live longer than 8 hours",
      "write at most 8h",
    );
  }
  if (!task.description) {
    reader.warn("NO_DESCRIPTION", task.task.at, "the task has no description", "say what it is for");
  }
  if (!task.owner) reader.warn("NO_OWNER", task.task.at, "the task has no owner", "say who answers for it");
}

function sqlRules(
  task: TaskFile,
  params: Readonly<Record<string, ParamType>>,
  reader: SourceReader,
  checkRows: CheckRows | null,
): SqlRule[] {
  const rules: SqlRule[] = [];
  const first = new Map<string, Place>();
  const used = new Set<string>();
  for (const { value, at } of task.allow.value) {
    const item = value as SqlItem;
    if (sqlVerbs.every((verb) => item[verb] === undefined)) {
      const fix = `add ${sqlVerbs.join(", ")}`;
      reader.error("NOTHING_ALLOWED", at, "this item allows nothing", fix);
    }
    for (const verb of sqlVerbs) {
      for (const entry of item[verb] ?? []) {
        const parts = parseQualified(entry.key);
        if (!("schema" in parts)) continue;
        const id = `${verb} ${JSON.stringify(parts)}`;
        const earlier = first.get(id);
        if (earlier) {
          const message = `\`${verb}\` on ${entry.key} is already granted on line ${earlier.line}`;
          reader.error("DUPLICATE_RULE", entry.at, message, "grants are not merged: write one");
          continue;
        }
        first.set(id, entry.at);
        const grant = entry.value as Partial<SelectGrant>;
        const rule: SqlRule = {
          verb,
          schema: parts.schema,
          relation: parts.name,
          columns: grant.columns ?? [],
          rows: grant.rows?.value.trim() ?? null,
          mask: Object.fromEntries((grant.mask ?? []).map(({ key, value }) => [key, value])),
          lookup: (grant.lookup ?? []).map(({ value }) => value),
          detect: Object.fromEntries((grant.detect ?? []).map(({ key, value }) => [key, value])),
          approval: item.approval ?? null,
          at: reader.ref(entry.at),
        };
        checkColumns(rule, grant, entry.key, reader);
        if (grant.rows) {
          const check = checkRows && ((sql: string) => checkRows(sql, params, parts));
          for (const name of checkCondition(grant.rows, params, reader, check)) used.add(name);
        }
        rules.push(rule);
      }
    }
  }
  for (const { key, at } of task.params?.value ?? []) {
    if (used.has(key)) continue;
    const message = `the parameter \`${key}\` is asked for but no \`rows\` uses it`;
    reader.error("UNUSED_PARAM", at, message, `use :${key} in a \`rows\` condition, or remove it`);
  }
  return rules;
}

/** Masks, lookups and detectors must speak of granted columns. */
function checkColumns(
  rule: SqlRule,
  grant: Partial<SelectGrant>,
  relation: string,
  reader: SourceReader,
): void {
  const granted = rule.columns;
  const check = (column: string, at: Place, what: string) => {
    if (granted === "*" || granted.includes(column)) return;
    const near = nearest(column, granted);
    const fix = near === null ? `add it to \`columns\`, or remove the ${what}` : `did you mean \`${near}\`?`;
    reader.error("NOT_GRANTED", at, `${what} on \`${column}\`, which ${relation} does not grant`, fix);
  };
  for (const { key, at } of grant.mask ?? []) check(key, at, "mask");
  for (const { value, at } of grant.lookup ?? []) {
    check(value, at, "lookup");
    if (Object.hasOwn(rule.mask, value)) continue;
    const message = `\`lookup\` is for masked columns, and \`${value}\` is not masked`;
    reader.error("LOOKUP_NOT_MASKED", at, message, "remove it: the column can be searched as it is");
  }
  for (const { key, at } of grant.detect ?? []) {
    check(key, at, "detector");
    if (Object.hasOwn(rule.mask, key)) {
      reader.warn("DETECT_ON_MASKED", at, `\`${key}\` is masked: a detector adds nothing`, "remove one");
    }
  }
}

/** Checks one `rows` condition and gives the parameters that it uses. */
function checkCondition(
  rows: LocatedText,
  params: Readonly<Record<string, ParamType>>,
  reader: SourceReader,
  check: ((sql: string) => ReturnType<CheckRows>) | null,
): string[] {
  const { placeholders, faults } = findPlaceholders(rows.value);
  for (const fault of faults) reader.error("BAD_ROWS", rows.placeOf(fault.offset), fault.message, fault.fix);
  for (const { name, start } of placeholders) {
    if (Object.hasOwn(params, name)) continue;
    const near = nearest(name, Object.keys(params));
    const fix = near ? `did you mean :${near}?` : `declare it: \`params: { ${name}: integer }\``;
    reader.error("UNDECLARED_PARAM", rows.placeOf(start), `\`:${name}\` is not a declared parameter`, fix);
  }
  const undeclared = placeholders.some(({ name }) => !Object.hasOwn(params, name));
  const fault = faults.length === 0 && !undeclared ? check?.(rows.value) : null;
  if (fault) {
    const place = rows.placeOf(fault.offset ?? 0);
    reader.error("BAD_ROWS", place, `this is no condition for \`rows\`: ${fault.message}`);
  }
  return placeholders.map(({ name }) => name);
}

function checkApproval(
  task: TaskFile,
  rules: readonly (SqlRule | RequestRule)[],
  reader: SourceReader,
): void {
  if (task.approval === undefined && rules.some((rule) => rule.approval !== null)) {
    const message = "some operations wait for approval, but the file does not say who approves";
    reader.warn("NO_APPROVERS", task.allow.at, message, "add `approval: { from: { groups: […] } }`");
  }
  const groups = task.who.value.groups ?? [];
  if (task.approval?.value.from.groups.every((group) => groups.includes(group))) {
    const message = "everybody who approves may also run the task";
    reader.warn("APPROVERS_ARE_REQUESTERS", task.approval.at, message, "name a separate group");
  }
}

function refsOf(task: TaskFile, reader: SourceReader): Task["refs"] {
  const ref = (part: { at: Place } | undefined) => reader.ref(part?.at ?? task.task.at);
  return {
    who: ref(task.who),
    require: ref(task.require),
    params: ref(task.params),
    allow: ref(task.allow),
    limits: ref(task.limits),
    session: ref(task.session),
    approval: ref(task.approval),
    recording: ref(task.recording),
  };
}
