/**
 * A folder of YAML files to one canonical, digested bundle. Pure: the caller reads the files.
 * Only `wicket`, the build and the tests compile; the edge opens the bundle (bundle.ts) and never reads YAML.
 */
import { sealBundle } from "./bundle.ts";
import { type CheckRows, compileTask } from "./compile-task.ts";
import { type Expectation, peopleFile, resourcesFile, testFile } from "./library-model.ts";
import { nameFault } from "./names.ts";
import { nearest } from "./nearest.ts";
import { hasError, type Problem, sortProblems } from "./problem.ts";
import type { Shape } from "./shape.ts";
import { readSource, SourceReader } from "./source.ts";
import type { Bundle, Json, Resource, SourceRef, Task } from "./task.ts";

/** One person of people.yaml or of a test file. */
export interface Person {
  readonly name: string;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, Json>>;
  /** Of a test identity that stands for a program; null = the people's issuer. */
  readonly issuer: string | null;
}

/** One test of tasks/<task>.test.yaml. */
export interface PolicyTest {
  readonly task: string;
  readonly at: SourceRef;
  readonly as: Person;
  readonly sql: string | null;
  readonly request: Json;
  /** Null = the test does not speak of parameters. */
  readonly params: Readonly<Record<string, string>> | null;
  /** Null = the test does not speak of a reason. */
  readonly reason: string | null;
  /** Milliseconds since the epoch; null = hours are not looked at. */
  readonly now: number | null;
  readonly expect: Expectation;
}

/** Everything a task library says. */
export interface Library {
  readonly bundle: Bundle;
  readonly people: Readonly<Record<string, Person>>;
  readonly tests: readonly PolicyTest[];
}

/** A library, perhaps with warnings; or the errors that stop it, in the order of the files. */
export type Compiled =
  | { readonly ok: true; readonly library: Library; readonly problems: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What the compiler may be given besides the files. */
export interface CompileOptions {
  /** Checks `rows` conditions with the SQL parser; without it they are only checked lexically. */
  readonly checkRows?: CheckRows;
}

/** Compiles a library. The keys of `files` are paths below its folder: `tasks/refund-investigation.yaml`. */
export function compileLibrary(files: ReadonlyMap<string, string>, options: CompileOptions = {}): Compiled {
  const problems: Problem[] = [];
  const resources = compileResources(files, problems);
  const people = compilePeople(files, problems);
  const tasks: [string, Task][] = [];
  const names = [...files.keys()].filter((path) => path.startsWith("tasks/")).sort();
  for (const path of names) {
    if (/^tasks\/[^/]+\.yaml$/.test(path)) {
      if (path.endsWith(".test.yaml")) continue;
      const task = compileTask(path, files.get(path)!, resources, problems, options.checkRows ?? null);
      if (task) tasks.push([task.name, task]);
    } else if (/\.ya?ml$/.test(path)) {
      const message = "this file is not read: tasks are tasks/<task>.yaml";
      new SourceReader(path, problems).error("MISPLACED_FILE", { line: 1, column: 1 }, message, "rename it");
    }
  }
  if (tasks.length === 0 && !hasError(problems)) {
    new SourceReader("tasks", problems).error("NO_TASKS", { line: 1, column: 1 }, "there are no tasks");
  }
  const tests = names
    .filter((path) => /^tasks\/[^/]+\.test\.yaml$/.test(path))
    .flatMap((path) => compileTests(path, files, people, problems));
  if (hasError(problems)) return { ok: false, problems: sortProblems(problems) };
  const bundle = sealBundle(resources, Object.fromEntries(tasks));
  return { ok: true, library: { bundle, people, tests }, problems: sortProblems(problems) };
}

function readFile<T>(path: string, text: string, shape: Shape<T>, problems: Problem[]) {
  const source = readSource(path, text, problems);
  const value = source ? shape.read(source.root, source.reader, { line: 1, column: 1 }) : undefined;
  return value === undefined || source === null ? null : { value, reader: source.reader };
}

function compileResources(files: ReadonlyMap<string, string>, problems: Problem[]): Record<string, Resource> {
  const path = "resources.yaml";
  const text = files.get(path);
  if (text === undefined) {
    const fix = "write `version: 1` and `resources: { orders-db: { type: postgres, connector: demo } }`";
    const reader = new SourceReader(path, problems);
    reader.error("MISSING_FILE", { line: 1, column: 1 }, "the library has no resources.yaml", fix);
    return {};
  }
  const file = readFile(path, text, resourcesFile, problems);
  if (file === null) return {};
  const { resources, connectors } = file.value;
  for (const { value } of resources) {
    const { value: connector, at } = value.connector;
    if (connectors === undefined || connectors.includes(connector)) continue;
    const near = nearest(connector, connectors);
    const fix = near ? `did you mean \`${near}\`?` : "add it to `connectors`";
    file.reader.error(
      "UNKNOWN_CONNECTOR",
      at,
      `there is no connector \`${connector}\` in \`connectors\``,
      fix,
    );
  }
  return Object.fromEntries(
    resources.map(({ key, value }) => [
      key,
      { name: key, type: value.type, connector: value.connector.value },
    ]),
  );
}

function compilePeople(files: ReadonlyMap<string, string>, problems: Problem[]): Record<string, Person> {
  const text = files.get("people.yaml");
  if (text === undefined) return {};
  const entries = readFile("people.yaml", text, peopleFile, problems)?.value.people ?? [];
  return Object.fromEntries(entries.map(({ key, value }) => [key, personOf(key, value)]));
}

interface PersonFile {
  readonly groups: readonly string[] | undefined;
  readonly claims: readonly { readonly key: string; readonly value: Json }[] | undefined;
  readonly issuer?: string | undefined;
}

function personOf(name: string, file: PersonFile): Person {
  const claims = Object.fromEntries((file.claims ?? []).map(({ key, value }) => [key, value]));
  return { name, groups: file.groups ?? [], claims, issuer: file.issuer ?? null };
}

function compileTests(
  path: string,
  files: ReadonlyMap<string, string>,
  people: Readonly<Record<string, Person>>,
  problems: Problem[],
): PolicyTest[] {
  const file = readFile(path, files.get(path)!, testFile, problems);
  if (file === null) return [];
  const { value, reader } = file;
  const task = path.slice("tasks/".length, -".test.yaml".length);
  if (!files.has(`tasks/${task}.yaml`) || nameFault(task) !== null) {
    const message = `these tests are for the task \`${task}\`, which has no file`;
    reader.error(
      "UNKNOWN_TASK",
      { line: 1, column: 1 },
      message,
      `add tasks/${task}.yaml or rename the file`,
    );
    return [];
  }
  const known = new Map(Object.entries(people));
  for (const { key, value: person } of value.identities ?? []) known.set(key, personOf(key, person));
  return value.tests.flatMap(({ value: test, at }) => {
    const as = known.get(test.as);
    if (as === undefined) {
      const near = nearest(test.as, known.keys());
      const fix = near ? `did you mean \`${near}\`?` : "add the person to `identities`";
      return reader.error("UNKNOWN_PERSON", at, `there is no person \`${test.as}\``, fix) ?? [];
    }
    if ((test.sql === undefined) === (test.request === undefined)) {
      return reader.error("BAD_TEST", at, "a test has either `sql` or `request`", "write one of them") ?? [];
    }
    const now = test.at === undefined ? null : timeOf(test.at);
    if (Number.isNaN(now)) {
      const fix = "write it like 2026-11-24T10:00:00+01:00";
      return reader.error("BAD_VALUE", at, `\`at\` is not a time with an offset`, fix) ?? [];
    }
    const params: [string, string][] = [];
    for (const { key, value, at } of test.params ?? []) {
      if (value === null || typeof value === "object") {
        reader.error("WRONG_TYPE", at, "a parameter is text, a number, true or false");
      } else params.push([key, String(value)]);
    }
    return [
      {
        task,
        at: reader.ref(at),
        as,
        sql: test.sql ?? null,
        request: test.request ?? null,
        params: test.params === undefined ? null : Object.fromEntries(params),
        reason: test.reason ?? null,
        now,
        expect: test.expect,
      },
    ];
  });
}

/** Milliseconds since the epoch, or NaN. */
function timeOf(text: string): number {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
}
