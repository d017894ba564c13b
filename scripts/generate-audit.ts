/**
 * Makes the reference of audit events, docs/audit.md and docs/audit.schema.json (JSON Schema 2020-12), from
 * worker/audit/events.ts. With `--check` nothing is written: exit code 1 when they are not fresh.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Field, readTypes, type Type, typeText } from "./type-reader.ts";

const root = join(import.meta.dirname, "..");
const PAGE = join(root, "docs", "audit.md");
const SCHEMA = join(root, "docs", "audit.schema.json");

type Schema = Readonly<Record<string, unknown>>;

function schemaOf(type: Type): Schema {
  switch (type.kind) {
    case "name":
      if (type.name === "Json") return {};
      if (type.name === "null") return { type: "null" };
      if (["string", "number", "boolean"].includes(type.name)) return { type: type.name };
      return { $ref: `#/$defs/${type.name}` };
    case "literal":
      return { const: type.value };
    case "array":
      return { type: "array", items: schemaOf(type.of) };
    case "record":
      return { type: "object", additionalProperties: schemaOf(type.of) };
    case "union":
      if (type.of.every((one) => one.kind === "literal")) return { enum: type.of.map((one) => one.value) };
      return { anyOf: type.of.map(schemaOf) };
    case "object":
      return objectSchema(type.fields);
  }
}

function objectSchema(fields: readonly Field[]): Schema {
  return {
    type: "object",
    properties: Object.fromEntries(
      fields.map(({ name, doc, type }) => [
        name,
        doc === "" ? schemaOf(type) : { description: doc, ...schemaOf(type) },
      ]),
    ),
    required: fields.filter((field) => !field.optional).map((field) => field.name),
    additionalProperties: false,
  };
}

/** Both files as they have to be. Throws when an event has no sentence about it, or a type is not understood. */
export function auditReference(): { page: string; schema: string } {
  const types = readTypes(readFileSync(join(root, "worker", "audit", "events.ts"), "utf8"));
  const typeOf = (name: string): Type => {
    const found = types.get(name);
    if (!found) throw new Error(`worker/audit/events.ts does not say what ${name} is`);
    return found.type;
  };
  const fieldsOf = (name: string): readonly Field[] => {
    const type = typeOf(name);
    if (type.kind !== "object") throw new Error(`${name} is not an interface`);
    return type.fields;
  };
  const events = fieldsOf("EventData");
  for (const { name, doc } of events) if (doc === "") throw new Error(`${name} has no sentence about it`);
  const own: Field[] = [
    {
      name: "id",
      doc: "ULID; the same event delivered twice has the same id.",
      optional: false,
      type: { kind: "name", name: "string" },
    },
    {
      name: "time",
      doc: "Milliseconds since the epoch, at the edge.",
      optional: false,
      type: { kind: "name", name: "number" },
    },
    {
      name: "severity",
      doc: types.get("Severity")!.doc,
      optional: false,
      type: { kind: "name", name: "Severity" },
    },
  ];
  const facts = fieldsOf("EventFacts");
  const common = [...own, ...facts];
  const defs = ["Actor", "Severity", "GrantKind"];
  const whole = objectSchema([
    {
      name: "type",
      doc: "",
      optional: false,
      type: { kind: "union", of: events.map(({ name }) => ({ kind: "literal", value: name })) },
    },
    ...common,
    {
      name: "data",
      doc: "What the type says besides.",
      optional: false,
      type: { kind: "name", name: "Json" },
    },
  ]);
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Wicketgate audit event",
    ...whole,
    oneOf: events.map(({ name, doc, type }) => ({
      title: name,
      description: doc,
      properties: { type: { const: name }, data: schemaOf(type) },
    })),
    $defs: Object.fromEntries(defs.map((name) => [name, schemaOf(typeOf(name))])),
  };
  return { page: pageOf(events, common, fieldsOf("Actor")), schema: `${JSON.stringify(schema, null, 2)}\n` };
}

function pageOf(events: readonly Field[], common: readonly Field[], actor: readonly Field[]): string {
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const table = (fields: readonly Field[]): string[] => [
    "| field | type | meaning |",
    "| --- | --- | --- |",
    ...fields.map(
      ({ name, doc, optional, type }) =>
        `| \`${name}\`${optional ? " (optional)" : ""} | \`${cell(typeText(type))}\` | ${cell(doc)} |`,
    ),
  ];
  const lines = [
    "# Audit events",
    "",
    "<!-- Made by scripts/generate-audit.ts from worker/audit/events.ts. -->",
    "",
    "Every decision, approval, grant, session and sign-in is an event. No event holds a row value, a token or a key.",
    "[audit.schema.json](audit.schema.json) is the same as JSON Schema.",
    "",
    "- In the console: Audit. Administrators see everyone's events, everybody else their own.",
    "- On the command line: `wicket audit search --person tina --task refund-investigation --since 24h`, and",
    "  `wicket audit tail`; with `--json` one event a line.",
    "- Over the API: `GET /api/audit`, with `type`, `severity`, `session`, `grant`, `task`, `resource`, `reason`, `text`",
    "  (part of a person's name, subject or a reason code), `since`, `until` (ms), `before`, `after` (event ids), `limit`.",
    "- For other systems: `format=ndjson`, `format=cloudevents` (CloudEvents 1.0) or `format=ocsf` (OCSF 1.5), one event",
    "  a line. `after` with the last id that was read goes on from there.",
    "",
    "A grant's events are written in the transaction of the change they tell of. A session's events are gathered for up",
    "to a second. What the searchable copy does not take is kept and tried again; an event that arrives twice has one id.",
    "",
    "## Fields of every event",
    "",
    ...table(common),
    "",
    "An `actor`:",
    "",
    ...table(actor),
    "",
    "## Events",
    "",
  ];
  for (const { name, doc, type } of events) {
    lines.push(`### ${name}`, "", doc, "");
    if (type.kind === "object" && type.fields.length > 0)
      lines.push("In `data`:", "", ...table(type.fields), "");
  }
  return `${lines.join("\n").trimEnd()}\n`;
}

if (import.meta.main) {
  const { page, schema } = auditReference();
  const check = process.argv.includes("--check");
  for (const [file, text] of [
    [PAGE, page],
    [SCHEMA, schema],
  ] as const) {
    if (!check) writeFileSync(file, text);
    else if (readFileSync(file, "utf8") !== text) {
      console.error(
        `${file.slice(root.length + 1)} is not what worker/audit/events.ts says: node scripts/generate-audit.ts`,
      );
      process.exitCode = 1;
    }
  }
}
