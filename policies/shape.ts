/**
 * The small vocabulary in which the file formats are said once (model.ts). From one shape come the reading of
 * a YAML node with errors at its line and column, the JSON Schema for editors, and the words of the reference.
 */
import { isMap, isScalar, isSeq } from "yaml";
import { nearest } from "./nearest.ts";
import type { Place } from "./problem.ts";
import type { SourceReader } from "./source.ts";
import type { Json } from "./task.ts";

/** A JSON Schema (draft 2020-12) or a part of one. */
export type JsonSchema = { [key: string]: Json };

/** How a value is written. `T` never includes undefined: reading gives undefined after it reported why. */
export interface Shape<T> {
  /** What is expected, to complete "must be …": `text`, `a duration such as 30m`. */
  readonly words: string;
  readonly schema: JsonSchema;
  /** The keys, for the reference; only of mappings with fixed keys. */
  readonly fields?: Readonly<Record<string, Field<unknown>>>;
  /** Of a list or a free mapping: the shape of its members, and how the reference writes the step to them. */
  readonly inner?: Shape<unknown>;
  readonly step?: string;
  read(node: unknown, reader: SourceReader, place: Place): T | undefined;
}

/** One key of a mapping. */
export interface Field<T, Required extends boolean = boolean> {
  readonly shape: Shape<T>;
  readonly required: Required;
  /** One sentence for the reference and for editors. */
  readonly doc: string;
}

/** A value with the place of its key (or of itself, in a list). */
export interface Located<T> {
  readonly value: T;
  readonly at: Place;
}

type Fields = Record<string, Field<unknown>>;
type Values<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<infer T, infer R> ? (R extends true ? T : T | undefined) : never;
};

/** A key that must be there. */
export function required<T>(shape: Shape<T>, doc: string): Field<T, true> {
  return { shape, required: true, doc };
}

/** A key that may be left out. */
export function optional<T>(shape: Shape<T>, doc: string): Field<T, false> {
  return { shape, required: false, doc };
}

/** A mapping with fixed keys; any other key is an error that names the nearest one. */
export function object<F extends Fields>(name: string, fields: F): Shape<Values<F>> {
  const keys = Object.keys(fields);
  const needed = keys.filter((key) => fields[key]!.required);
  return {
    words: name,
    fields,
    schema: {
      type: "object",
      properties: Object.fromEntries(
        keys.map((key) => [key, { ...fields[key]!.shape.schema, description: fields[key]!.doc }]),
      ),
      ...(needed.length > 0 ? { required: needed } : {}),
      additionalProperties: false,
    },
    read(node, reader, place) {
      if (!isMap(node)) return wrongType(node, reader, place, `${name}: a mapping of ${keys.join(", ")}`);
      const values: Record<string, unknown> = {};
      let whole = true;
      for (const pair of node.items) {
        const key = keyText(pair.key);
        const at = reader.place(pair.key);
        const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
        if (field === undefined) {
          whole = false;
          const near = nearest(key, keys);
          const fix = near === null ? `the keys here are ${keys.join(", ")}` : `did you mean \`${near}\`?`;
          reader.error("UNKNOWN_KEY", at, `unknown key \`${key}\` in ${name}`, fix);
          continue;
        }
        values[key] = field.shape.read(pair.value, reader, at);
        if (values[key] === undefined) whole = false;
      }
      for (const key of needed) {
        if (node.items.some((pair) => keyText(pair.key) === key)) continue;
        whole = false;
        const field = fields[key]!;
        const message = `\`${key}\` is missing in ${name}`;
        reader.error("MISSING_KEY", place, message, `add \`${key}:\` (${field.doc})`);
      }
      return whole ? (values as Values<F>) : undefined;
    },
  };
}

/** A mapping with free keys, in file order. `key` checks one: null, or what is wrong with it. */
export function mapping<T>(
  keyName: string,
  shape: Shape<T>,
  key: (text: string) => { message: string; fix: string } | null = () => null,
  keySchema: JsonSchema = {},
): Shape<readonly { readonly key: string; readonly value: T; readonly at: Place }[]> {
  const names = Object.keys(keySchema).length > 0 ? { propertyNames: keySchema } : {};
  return {
    words: `a mapping from ${keyName} to ${shape.words}`,
    inner: shape,
    step: `.<${keyName.replace(/^an? /, "")}>.`,
    schema: { type: "object", additionalProperties: shape.schema, ...names },
    read(node, reader, place) {
      if (!isMap(node)) return wrongType(node, reader, place, this.words);
      const entries: { key: string; value: T; at: Place }[] = [];
      let whole = true;
      for (const pair of node.items) {
        const text = keyText(pair.key);
        const at = reader.place(pair.key);
        const fault = key(text);
        if (fault !== null) reader.error("BAD_NAME", at, fault.message, fault.fix);
        const value = shape.read(pair.value, reader, at);
        if (fault !== null || value === undefined) whole = false;
        else entries.push({ key: text, value, at });
      }
      return whole ? entries : undefined;
    },
  };
}

/** A list. */
export function list<T>(shape: Shape<T>, least = 0): Shape<readonly T[]> {
  return {
    words: `a list of ${shape.words}`,
    inner: shape,
    step: "[].",
    schema: { type: "array", items: shape.schema, ...(least > 0 ? { minItems: least } : {}) },
    read(node, reader, place) {
      if (!isSeq(node)) return wrongType(node, reader, place, this.words);
      if (node.items.length < least) {
        return reader.error("EMPTY_LIST", place, `the list is empty; it must have ${this.words}`);
      }
      const values = node.items.map((item) => shape.read(item, reader, reader.place(item)));
      return values.includes(undefined) ? undefined : (values as T[]);
    },
  };
}

/** The same shape, with its place. */
export function located<T>(shape: Shape<T>): Shape<Located<T>> {
  return {
    ...shape,
    read(node, reader, place) {
      const value = shape.read(node, reader, place);
      return value === undefined ? undefined : { value, at: place };
    },
  };
}

/** SQL or other text, with the place of each of its characters. */
export interface LocatedText extends Located<string> {
  /** The place of the character at an offset; of the text's start when it is written on several lines. */
  placeOf(offset: number): Place;
}

/** Text in which later checks want to point at a character. */
export function locatedText(longest: number): Shape<LocatedText> {
  const inner = text(longest);
  return {
    ...inner,
    read(node, reader, place) {
      const value = inner.read(node, reader, place);
      if (value === undefined) return undefined;
      const start = valuePlace(node, reader, place);
      const source = isScalar(node) ? (node.source ?? "") : "";
      const quote = isScalar(node) && /^QUOTE/.test(node.type ?? "") ? 1 : 0;
      const exact = source === value && !value.includes("\n");
      return {
        value,
        at: place,
        placeOf: (offset) => (exact ? { line: start.line, column: start.column + quote + offset } : start),
      };
    },
  };
}

/** Text that a function accepts: it gives the value, or what is wrong and the fix. */
export function parsed<T>(
  words: string,
  parse: (text: string) => { value: T } | { message: string; fix: string | null },
  schema: JsonSchema = { type: "string" },
): Shape<T> {
  return {
    words,
    schema,
    read(node, reader, place) {
      const text = scalar(node);
      if (typeof text === "number" && schema.type !== "string") {
        const result = parse(String(text));
        if ("value" in result) return result.value;
      }
      if (typeof text !== "string") return wrongType(node, reader, place, words);
      const result = parse(text);
      if ("value" in result) return result.value;
      return reader.error("BAD_VALUE", valuePlace(node, reader, place), result.message, result.fix);
    },
  };
}

/** Any text of at most `longest` characters. */
export function text(longest = 1000, words = "text"): Shape<string> {
  return parsed(
    words,
    (value) =>
      value.length > longest
        ? { message: `the text is longer than ${longest} characters`, fix: "shorten it" }
        : value.includes("\0") || !value.isWellFormed()
          ? { message: "the text has a NUL or half of a surrogate pair", fix: "remove it" }
          : { value },
    { type: "string", maxLength: longest },
  );
}

/** One of a few words. */
export function choice<const T extends string>(options: readonly T[]): Shape<T> {
  const words = options.length === 1 ? `\`${options[0]}\`` : `one of ${options.join(", ")}`;
  return parsed(
    words,
    (value) => {
      const found = options.find((option) => option === value);
      if (found !== undefined) return { value: found };
      const near = nearest(value, options);
      const fix = near === null ? `write ${words}` : `did you mean \`${near}\`?`;
      return { message: `\`${value}\` is not known here: it must be ${words}`, fix };
    },
    { type: "string", enum: [...options] },
  );
}

/** A whole number within bounds. */
export function integer(least: number, most: number): Shape<number> {
  const words = `a whole number from ${least} to ${most}`;
  return {
    words,
    schema: { type: "integer", minimum: least, maximum: most },
    read(node, reader, place) {
      const value = scalar(node);
      if (typeof value !== "number" || !Number.isSafeInteger(value)) {
        return wrongType(node, reader, place, words);
      }
      if (value >= least && value <= most) return value;
      return reader.error(
        "OUT_OF_RANGE",
        valuePlace(node, reader, place),
        `${value} is out of range`,
        `write ${words}`,
      );
    },
  };
}

/** true or false. */
export const boolean: Shape<boolean> = {
  words: "true or false",
  schema: { type: "boolean" },
  read(node, reader, place) {
    const value = scalar(node);
    return typeof value === "boolean" ? value : wrongType(node, reader, place, this.words);
  },
};

/** Any JSON value. */
export const json: Shape<Json> = {
  words: "any value",
  schema: {},
  read(node, reader, place) {
    if (isSeq(node)) return list(json).read(node, reader, place) as Json[] | undefined;
    if (isMap(node)) {
      const entries = mapping("a name", json).read(node, reader, place);
      // fromEntries defines own properties, so that a key `__proto__` stays a key.
      return entries && Object.fromEntries(entries.map(({ key, value }) => [key, value]));
    }
    const value = scalar(node);
    if (typeof value === "number" && !Number.isFinite(value)) return wrongType(node, reader, place, "JSON");
    return value === undefined ? wrongType(node, reader, place, "a JSON value") : value;
  },
};

/** The version of a format: the number 1. */
export const version: Shape<1> = {
  words: "1",
  schema: { const: 1 },
  read(node, reader, place) {
    if (scalar(node) === 1) return 1;
    const message = `this version of the format is not known: ${shown(node)}`;
    return reader.error("UNKNOWN_VERSION", valuePlace(node, reader, place), message, "write `version: 1`");
  },
};

/** The value of a scalar, or undefined when the node is a list, a mapping or missing. */
export function scalar(node: unknown): null | boolean | number | string | undefined {
  if (!isScalar(node)) return undefined;
  const value = node.value;
  if (value === null || typeof value === "boolean" || typeof value === "number") return value;
  return typeof value === "string" ? value : undefined;
}

/** Reports a value of the wrong type, with the likely fix. */
export function wrongType(node: unknown, reader: SourceReader, place: Place, words: string): undefined {
  const value = scalar(node);
  let fix: string | null = `write ${words}`;
  if (words.startsWith("a list of") && (typeof value === "string" || typeof value === "number")) {
    fix = `write [${value}]`;
  } else if (/^(text|a name|a column)/.test(words) && value !== undefined) {
    fix = `put it in quotes: "${isScalar(node) && node.source ? node.source : value}"`;
  }
  const message = `this must be ${words}, not ${shown(node)}`;
  return reader.error("WRONG_TYPE", valuePlace(node, reader, place), message, fix);
}

/** The place of the value itself when it has one, else that of its key. */
export function valuePlace(node: unknown, reader: SourceReader, place: Place): Place {
  return isScalar(node) && node.source !== "" ? reader.place(node) : place;
}

function shown(node: unknown): string {
  if (isSeq(node)) return "a list";
  if (isMap(node)) return "a mapping";
  const value = scalar(node);
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "string") return value.length > 40 ? "a text" : `the text \`${value}\``;
  return typeof value === "number" ? `the number ${value}` : `${value}`;
}

function keyText(key: unknown): string {
  return String((key as { value?: unknown }).value);
}
