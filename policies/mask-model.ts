/** How a mask is written in a policy file, and how it is read. */
import { isMap, isScalar } from "yaml";
import { nearest } from "./nearest.ts";
import {
  integer,
  type JsonSchema,
  object,
  optional,
  type Shape,
  scalar,
  valuePlace,
  wrongType,
} from "./shape.ts";
import type { Mask } from "./task.ts";

/** The masks that are one word. `last4` is `keep` with four characters at the end. */
const words: Readonly<Record<string, Mask>> = {
  null: { kind: "null" },
  email: { kind: "email" },
  last4: { kind: "keep", first: 0, last: 4, with: "*" },
  token: { kind: "token" },
  year: { kind: "year" },
  month: { kind: "month" },
};

const withOne: Shape<string> = {
  words: "text of one character",
  schema: { type: "string", minLength: 1, maxLength: 2 },
  read(node, reader, place) {
    const value = scalar(node);
    if (typeof value !== "string") return wrongType(node, reader, place, "text of one character");
    if (Array.from(value).length === 1 && value !== "\0" && value.isWellFormed()) return value;
    const message = "`with` is the one character that stands for each hidden one";
    return reader.error("BAD_VALUE", valuePlace(node, reader, place), message, 'write with: "*"');
  },
};

const keep = object("keep", {
  first: optional(integer(0, 1000), "Characters shown at the start; 0 when left out."),
  last: optional(integer(0, 1000), "Characters shown at the end; 0 when left out."),
  with: optional(withOne, 'The character for each hidden one; "*" when left out.'),
});
const round = integer(-30, 30);

const keepSchema: JsonSchema = { type: "object", properties: { keep: keep.schema }, required: ["keep"] };
const schema: JsonSchema = {
  anyOf: [
    { type: "null" },
    { type: "string", enum: Object.keys(words) },
    {
      type: "object",
      properties: { constant: { type: ["string", "number", "boolean"] } },
      required: ["constant"],
      additionalProperties: false,
    },
    { ...keepSchema, additionalProperties: false },
    {
      type: "object",
      properties: { round: round.schema },
      required: ["round"],
      additionalProperties: false,
    },
  ],
};

const forms = "null, email, last4, token, year, month, { constant: V }, { keep: { … } } or { round: N }";

/** A mask: one word, or a mapping with one key. */
export const mask: Shape<Mask> = {
  words: "a mask",
  schema,
  read(node, reader, place) {
    if (isScalar(node)) {
      if (node.value === null && node.source === "") {
        const message = "the mask is missing";
        return reader.error("MISSING_MASK", place, message, "write null for a mask that is always NULL");
      }
      const word = node.value === null ? "null" : node.value;
      if (typeof word !== "string") return wrongType(node, reader, place, forms);
      if (Object.hasOwn(words, word)) return words[word];
      const near = nearest(word, [...Object.keys(words), "constant", "keep", "round"]);
      const fix = near === null ? `the masks are ${forms}` : `did you mean \`${near}\`?`;
      return reader.error("UNKNOWN_MASK", reader.place(node), `there is no mask \`${word}\``, fix);
    }
    if (!isMap(node) || node.items.length !== 1) return wrongType(node, reader, place, forms);
    const pair = node.items[0]!;
    const at = reader.place(pair.key);
    const key = String((pair.key as { value?: unknown }).value);
    switch (key) {
      case "constant": {
        const value = scalar(pair.value);
        if (typeof value === "boolean" || typeof value === "string") return { kind: "constant", value };
        if (typeof value === "number" && Number.isFinite(value)) return { kind: "constant", value };
        return wrongType(pair.value, reader, at, "text, a number, true or false");
      }
      case "keep": {
        const parts = keep.read(pair.value, reader, at);
        if (parts === undefined) return undefined;
        return { kind: "keep", first: parts.first ?? 0, last: parts.last ?? 0, with: parts.with ?? "*" };
      }
      case "round": {
        const digits = round.read(pair.value, reader, at);
        return digits === undefined ? undefined : { kind: "round", digits };
      }
      default: {
        const fix = `the masks are ${forms}`;
        return reader.error("UNKNOWN_MASK", at, `there is no mask \`${key}\``, fix);
      }
    }
  },
};
