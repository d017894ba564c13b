/**
 * Reads one YAML file so that every later complaint can name its line and column.
 * YAML 1.2, core schema: `on` and `yes` are text. One document, no anchors, aliases, merge keys or tags:
 * a policy says everything where it stands, and a file cannot unfold into more than is written.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import type { Place, Problem } from "./problem.ts";

/** Largest policy file, characters. */
export const MAX_FILE = 256 * 1024;
/** Deepest nesting of lists and mappings. */
export const MAX_DEPTH = 32;

/** Collects the problems of one file and turns offsets into places. */
export class SourceReader {
  readonly file: string;
  readonly problems: Problem[];
  readonly #lines: LineCounter;

  constructor(file: string, problems: Problem[], lines = new LineCounter()) {
    this.file = file;
    this.problems = problems;
    this.#lines = lines;
  }

  /** Where a node starts; the start of the file when the node has no position. */
  place(node: unknown): Place {
    const range = (node as { range?: readonly number[] | null } | null)?.range;
    return this.placeAt(range?.[0] ?? 0);
  }

  /** The place of a character offset. */
  placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  }

  error(code: string, place: Place, message: string, fix: string | null = null): undefined {
    this.problems.push({ severity: "error", code, file: this.file, ...at(place), message, fix });
    return undefined;
  }

  warn(code: string, place: Place, message: string, fix: string | null = null): void {
    this.problems.push({ severity: "warning", code, file: this.file, ...at(place), message, fix });
  }

  /** `file:line`. */
  ref(place: Place): string {
    return `${this.file}:${place.line}`;
  }
}

function at(place: Place): Place {
  return { line: place.line, column: place.column };
}

/** The file's root node and its reader, or null when it is not YAML that a policy may be written in. */
export function readSource(
  file: string,
  text: string,
  problems: Problem[],
): { root: Node; reader: SourceReader } | null {
  const lines = new LineCounter();
  const reader = new SourceReader(file, problems, lines);
  const start = { line: 1, column: 1 };
  if (text.length > MAX_FILE) {
    reader.error("FILE_TOO_LARGE", start, `the file has more than ${MAX_FILE} characters`, "split the task");
    return null;
  }
  if (deepestIndent(text) > MAX_DEPTH) {
    reader.error("TOO_DEEP", start, `lists or mappings are nested deeper than ${MAX_DEPTH}`);
    return null;
  }
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    strict: true,
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    logLevel: "silent",
    lineCounter: lines,
  });
  const faults = [...document.errors, ...document.warnings];
  for (const fault of faults.slice(0, 10)) {
    reader.error("NOT_YAML", reader.placeAt(fault.pos[0]), `not valid YAML: ${firstLine(fault.message)}`);
  }
  if (faults.length > 0) return null;
  const root = document.contents as Node | null;
  if (root === null) {
    reader.error("EMPTY_FILE", start, "the file is empty");
    return null;
  }
  const before = problems.length;
  checkNode(root, reader, 0);
  return problems.length > before ? null : { root, reader };
}

/** Bracket nesting of flow collections, counted before the parser recurses on it. Quotes only lower it. */
function deepestIndent(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const character of text) {
    if (character === "[" || character === "{") deepest = Math.max(deepest, ++depth);
    else if ((character === "]" || character === "}") && depth > 0) depth -= 1;
  }
  return deepest;
}

/** Refuses what makes one text mean another: aliases, anchors, tags, merge keys, repeated and odd keys. */
function checkNode(node: unknown, reader: SourceReader, depth: number): void {
  if (node === null || node === undefined) return;
  const place = reader.place(node);
  if (depth > MAX_DEPTH) {
    reader.error("TOO_DEEP", place, `lists or mappings are nested deeper than ${MAX_DEPTH}`);
    return;
  }
  if (isAlias(node)) {
    reader.error("ALIAS", place, `aliases are not read (*${node.source})`, "write the value out here");
    return;
  }
  const { anchor, tag } = node as { anchor?: string; tag?: string };
  if (anchor !== undefined) {
    reader.error("ANCHOR", place, `anchors are not read (&${anchor})`, `remove &${anchor}`);
  }
  if (tag !== undefined) reader.error("TAG", place, `tags are not read (${tag})`, "remove the tag");
  if (isSeq(node)) for (const item of node.items) checkNode(item, reader, depth + 1);
  if (isMap(node)) checkKeys(node, reader, depth);
}

function checkKeys(map: YAMLMap, reader: SourceReader, depth: number): void {
  const seen = new Map<string, Place>();
  for (const { key, value } of map.items) {
    const place = reader.place(key);
    if (!isScalar(key) || typeof key.value !== "string") {
      const written = isScalar(key) ? String(key.value) : null;
      const fix = written === null ? "use a plain word as the key" : `write "${written}" in quotes`;
      reader.error("KEY_NOT_TEXT", place, "a key must be text", fix);
    } else {
      const first = seen.get(key.value);
      if (first !== undefined) {
        const message = `the key \`${key.value}\` is already given on line ${first.line}`;
        reader.error("DUPLICATE_KEY", place, message, "keep one of them");
      }
      if (key.value === "<<") {
        reader.error("MERGE_KEY", place, "merge keys are not read", "write the keys out here");
      }
      seen.set(key.value, place);
      checkNode(key, reader, depth + 1);
    }
    checkNode(value, reader, depth + 1);
  }
}

function firstLine(message: string): string {
  return message.split("\n")[0]!.trim();
}
