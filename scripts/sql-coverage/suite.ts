/**
 * PostgreSQL's own regression suite (src/test/regress): where it comes from, and its files cut into statements as
 * psql cuts them.
 */
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Suite {
  /** `src/test/regress`: holds `sql`, `data` and `parallel_schedule`. */
  readonly folder: string;
  /** Where it is from, in words. */
  readonly origin: string;
}

/** A folder that was given, or the source package of Debian, kept in `build/regress`. */
export function findSuite(root: string, given: string | null): Suite {
  if (given !== null) {
    if (!existsSync(join(given, "sql"))) throw new Error(`${given} has no folder sql`);
    return { folder: given, origin: "a given folder" };
  }
  const kept = join(root, "build", "regress");
  const originFile = join(kept, "origin");
  if (existsSync(originFile)) return { folder: kept, origin: readFileSync(originFile, "utf8").trim() };
  const work = mkdtempSync(join(tmpdir(), "wicket-regress-"));
  try {
    const archive = fetchDebianSource(work);
    mkdirSync(kept, { recursive: true });
    const parts = ["sql", "data", "parallel_schedule"].map((part) => `*/src/test/regress/${part}`);
    run(
      "tar",
      ["-xf", join(work, archive), "-C", kept, "--strip-components=4", "--wildcards", ...parts],
      work,
    );
    const origin = `Debian's source package, ${archive}`;
    writeFileSync(originFile, `${origin}\n`);
    return { folder: kept, origin };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** `apt-get source` with lists of its own: needs no root and changes nothing of the machine's. */
function fetchDebianSource(work: string): string {
  const { codename, keyring, mirror } = debian();
  const parts = join(work, "parts");
  mkdirSync(join(work, "lists", "partial"), { recursive: true });
  mkdirSync(join(work, "cache", "archives", "partial"), { recursive: true });
  mkdirSync(parts);
  writeFileSync(
    join(parts, "source.sources"),
    `Types: deb-src\nURIs: ${mirror}\nSuites: ${codename}\nComponents: main\nSigned-By: ${keyring}\n`,
  );
  const options = [
    ["Dir::Etc::sourcelist", "/dev/null"],
    ["Dir::Etc::sourceparts", parts],
    ["Dir::State::lists", join(work, "lists")],
    ["Dir::Cache", join(work, "cache")],
    ["APT::Sandbox::User", process.env["USER"] ?? "root"],
  ].flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  run("apt-get", [...options, "-q", "update"], work);
  const version = { bullseye: "13", bookworm: "15", trixie: "17" }[codename] ?? "15";
  run("apt-get", [...options, "-q", "source", "--download-only", `postgresql-${version}`], work);
  const archive = readdirSync(work).find((name) => name.includes(".orig.tar."));
  if (!archive) throw new Error("apt-get source left no archive");
  return archive;
}

function debian(): { codename: string; keyring: string; mirror: string } {
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const codename = /VERSION_CODENAME=(\w+)/.exec(release)?.[1];
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  if (!/^ID=debian$/m.test(release) || !codename || !existsSync(keyring)) {
    throw new Error(
      "this is no Debian to fetch the suite with: give PostgreSQL's src/test/regress by --suite DIR or WICKET_REGRESS",
    );
  }
  const mirror = process.env["WICKET_DEBIAN_MIRROR"] ?? ownMirror();
  if (!mirror) throw new Error("apt's sources name no mirror: give one by WICKET_DEBIAN_MIRROR");
  return { codename, keyring, mirror };
}

/** The mirror that this machine's own packages come from. */
function ownMirror(): string | undefined {
  const folder = "/etc/apt/sources.list.d";
  const files = [
    "/etc/apt/sources.list",
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ];
  for (const file of files.filter((one) => existsSync(one))) {
    const text = readFileSync(file, "utf8");
    const found = /^(?:URIs: *|deb (?:\[[^\]]*\] )?)(https?:\/\/\S+\/debian)\/?(?=\s|$)/m.exec(text);
    if (found) return found[1];
  }
  return undefined;
}

function run(command: string, args: readonly string[], cwd: string): void {
  const done = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (done.status !== 0)
    throw new Error(`${command} ${args.at(-1)}: ${done.stderr || (done.error?.message ?? "failed")}`);
}

/** The files in the order of the schedule; those that it does not name come last. */
export function suiteFiles(folder: string): string[] {
  const all = readdirSync(join(folder, "sql")).filter((name) => name.endsWith(".sql"));
  const schedule = existsSync(join(folder, "parallel_schedule"))
    ? readFileSync(join(folder, "parallel_schedule"), "utf8")
    : "";
  const named = schedule
    .split("\n")
    .filter((line) => line.startsWith("test:"))
    .flatMap((line) => line.slice(5).trim().split(/\s+/))
    .map((name) => `${name}.sql`)
    .filter((name) => all.includes(name));
  return [...new Set([...named, ...all.sort()])];
}

/** One statement, or one command of psql. */
export interface Piece {
  readonly line: number;
  /** SQL without its semicolon; for `command`, the backslash command. */
  readonly text: string;
  readonly command: string | null;
  /** The lines of `COPY … FROM stdin`. */
  readonly data: string | null;
}

/** The value of a psql variable; null when it is not set. */
export type Variables = (name: string) => string | null;

/** Cuts a file as psql does (psqlscan.l), with its variables as they are when each piece is asked for. */
export function* pieces(source: string, variables: Variables): Generator<Piece> {
  let at = 0;
  let line = 1;
  let start = 1;
  let out = "";
  let parens = 0;
  let depth = 0;
  let words: string[] = [];
  const take = (to: number): string => {
    const part = source.slice(at, to);
    for (let i = at; i < to; i++) if (source.charCodeAt(i) === 10) line += 1;
    at = to;
    return part;
  };
  const reset = () => {
    out = "";
    parens = 0;
    depth = 0;
    words = [];
  };
  while (at < source.length) {
    const rest = source.slice(at, at + 300);
    if (out.trim() === "") start = line;
    const char = rest[0]!;
    const skip = /^(?:--[^\n]*|\s+)/.exec(rest);
    if (skip) {
      out += take(at + skip[0].length);
      continue;
    }
    if (rest.startsWith("/*")) {
      out += take(commentEnd(source, at));
      continue;
    }
    if (char === "'" || char === '"') {
      const escapes = char === "'" && /(?:^|[^\w])[eE]$/.test(out);
      out += take(quoteEnd(source, at, char, escapes));
      continue;
    }
    const dollar = /^\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/.exec(rest);
    if (dollar && !/[\w$]$/.test(out)) {
      const end = source.indexOf(dollar[0], at + dollar[0].length);
      out += take(end < 0 ? source.length : end + dollar[0].length);
      continue;
    }
    const variable = /^:(?:'(\w+)'|"(\w+)"|(\w+)|\{\?(\w+)\})/.exec(rest);
    if (variable && !out.endsWith(":")) {
      const [whole, literal, name, plain, asked] = variable;
      const value = variables(literal ?? name ?? plain ?? asked!);
      if (asked !== undefined || value !== null) {
        take(at + whole!.length);
        if (asked !== undefined) out += value === null ? "FALSE" : "TRUE";
        else if (literal !== undefined) out += `'${value!.replaceAll("'", "''")}'`;
        else out += name !== undefined ? `"${value!.replaceAll('"', '""')}"` : value;
        continue;
      }
    }
    if (char === "\\") {
      if (rest[1] === ";") {
        take(at + 2);
        out += ";";
        continue;
      }
      const end = source.indexOf("\n", at);
      const command = take(end < 0 ? source.length : end).trim();
      yield { line: start, text: out.trim(), command, data: null };
      if (!/^\\(if|elif|else|endif|set|unset|getenv|echo|pset)\b/.test(command) || out.trim() === "") reset();
      continue;
    }
    const word = /^[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/.exec(rest);
    if (word) {
      const lower = word[0].toLowerCase();
      if (words.length < 6) words.push(lower);
      // Bodies in SQL: BEGIN ATOMIC … END, with CASE … END inside.
      if (/^create (or replace )?(function|procedure)/.test(words.join(" "))) {
        if (lower === "begin" || (lower === "case" && depth > 0)) depth += 1;
        else if (lower === "end" && depth > 0) depth -= 1;
      }
      out += take(at + word[0].length);
      continue;
    }
    if (char === "(") parens += 1;
    if (char === ")") parens -= 1;
    if (char === ";" && parens <= 0 && depth === 0) {
      take(at + 1);
      const text = out.trim();
      let data: string | null = null;
      if (/^copy\b[\s\S]*\bfrom\s+stdin\b/i.test(text)) {
        const from = source.indexOf("\n", at) + 1;
        const end = /^\\\.[^\S\n]*$/m.exec(source.slice(from));
        data = end ? source.slice(from, from + end.index) : "";
        take(end ? from + end.index + end[0].length : from);
      }
      yield { line: start, text, command: null, data };
      reset();
      continue;
    }
    out += take(at + 1);
  }
  if (out.trim() !== "") yield { line: start, text: out.trim(), command: null, data: null };
}

function commentEnd(source: string, from: number): number {
  let nested = 0;
  for (let at = from; at < source.length; at++) {
    if (source.startsWith("/*", at)) {
      nested += 1;
      at += 1;
    } else if (source.startsWith("*/", at)) {
      nested -= 1;
      at += 1;
      if (nested === 0) return at + 1;
    }
  }
  return source.length;
}

function quoteEnd(source: string, from: number, quote: string, escapes: boolean): number {
  for (let at = from + 1; at < source.length; at++) {
    if (escapes && source[at] === "\\") at += 1;
    else if (source[at] === quote) {
      if (source[at + 1] !== quote) return at + 1;
      at += 1;
    }
  }
  return source.length;
}
