/**
 * The format of tasks/<task>.yaml, said once; library-model.ts has the files around it. The JSON Schemas and the tables
 * of docs/policies.md are made from these shapes.
 */

import { isSeq } from "yaml";
import { API_VERBS, OWN_VERBS } from "../wire/kubernetes/request.ts";
import { globFault } from "./glob.ts";
import { parseHours } from "./hours.ts";
import { fieldPathFault } from "./http/fields.ts";
import { podRule, shownSecrets } from "./kubernetes/rules.ts";
import { mask } from "./mask-model.ts";
import {
  channelFault,
  channelPattern,
  columnFault,
  nameFault,
  namePattern,
  paramFault,
  paramPattern,
  parseQualified,
} from "./names.ts";
import { paramWords } from "./params.ts";
import {
  boolean,
  choice,
  integer,
  json,
  list,
  located,
  locatedText,
  mapping,
  object,
  optional,
  parsed,
  required,
  type Shape,
  scalar,
  text,
  version,
} from "./shape.ts";
import type { KubernetesVerb, ParamType } from "./task.ts";
import { parseDuration, parseSize } from "./units.ts";

/** A name of this library: of a task, a resource, a connector, a person. */
export const name = parsed<string>("a name", (value) => nameFault(value) ?? { value }, {
  type: "string",
  pattern: namePattern,
});
const duration = parsed<number>("a duration such as 30m", parseDuration, {
  type: "string",
  pattern: "^(\\d+d)?(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$",
});
const size = parsed<number>("a size such as 5MiB", parseSize, {
  type: ["string", "integer"],
  pattern: "^\\d+(B|kB|MB|GB|KiB|MiB|GiB)?$",
});
const glob = parsed<string>("text with * and ?", (value) => globFault(value) ?? { value });
const channel = parsed<string>("a channel", (value) => channelFault(value) ?? { value }, {
  type: "string",
  pattern: channelPattern,
});
const column = parsed<string>("a column name", (value) => columnFault(value) ?? { value });

/** Groups are names from tokens, compared exactly; a pattern would match more than it seems to. */
export const group = parsed<string>("text: a group name", (value) =>
  value === "" || /[*?]/.test(value)
    ? { message: `\`${value}\` is not a group: groups are compared exactly`, fix: "name each group" }
    : { value },
);
const groups = required(list(group, 1), "Any of these groups, by exact name.");

/** A list of columns, or `"*"` for all. */
const columns: Shape<readonly string[] | "*"> = {
  words: 'a list of column names, or "*"',
  schema: { anyOf: [{ const: "*" }, { type: "array", items: { type: "string" }, minItems: 1 }] },
  read(node, reader, place) {
    if (scalar(node) === "*" || (isSeq(node) && node.items.length === 1 && scalar(node.items[0]) === "*")) {
      return "*";
    }
    const names = list(located(column), 1).read(node, reader, place);
    if (names === undefined) return undefined;
    const seen = new Set<string>();
    for (const { value, at } of names) {
      if (seen.has(value)) reader.error("REPEATED", at, `the column \`${value}\` is named twice`, "keep one");
      seen.add(value);
    }
    return seen.size === names.length ? [...seen] : undefined;
  },
};

/** Claims of a token, by name. */
export const claims = mapping("a claim", json);
const workload = located(
  object("a workload", {
    issuer: required(text(500), "The token's `iss`, compared exactly."),
    claims: required(claims, "Claims that must all be equal, by value and type."),
  }),
);

const rows = locatedText(4000);
/** What the content detectors know. */
export const detectors = ["email", "card", "iban", "phone", "ssn", "ip"] as const;

const readColumns = required(
  columns,
  'Columns that exist for the task, or "*" for all that the relation has.',
);
const rowsField = optional(
  rows,
  "SQL condition over the relation's columns; `:name` is a parameter. Only these rows exist.",
);
const selectGrant = object("a select grant", {
  columns: readColumns,
  rows: rowsField,
  mask: optional(mapping("a column", mask, columnFault), "Masks by column."),
  lookup: optional(
    list(located(column), 1),
    "Masked columns by whose real value a row may be found (`=` only, counted).",
  ),
  detect: optional(
    mapping("a column", list(choice(detectors), 1), columnFault),
    "Content detectors by text or JSON column: what they find is masked.",
  ),
});
const writeGrant = (verb: string, columnsDoc: string) =>
  object(`${verb} grant`, { columns: required(columns, columnsDoc), rows: rowsField });
const relation = (text: string) => {
  const parts = parseQualified(text);
  return "schema" in parts ? null : parts;
};
const relations = <T>(grant: Shape<T>) => mapping("schema.relation", grant, relation);

const approvalOf = <const T extends string>(what: T) =>
  optional(choice([what]), `\`${what}\`: each use waits for a person's yes.`);

/** One `allow` item of a SQL task. */
export const sqlItem = object("an allow item", {
  select: optional(relations(selectGrant), "Relations that may be read."),
  insert: optional(
    relations(writeGrant("an insert", "Columns that may be given.")),
    "Relations that may get new rows; `rows` must hold for each.",
  ),
  update: optional(
    relations(writeGrant("an update", "Columns that may be set.")),
    "Relations whose rows may change; `rows` must hold before and after.",
  ),
  delete: optional(relations(object("a delete grant", { rows: rowsField })), "Relations that may lose rows."),
  merge: optional(
    relations(writeGrant("a merge", "Columns that may be written.")),
    "Relations that may be the target of MERGE.",
  ),
  truncate: optional(relations(object("a truncate grant", {})), "Relations that may be emptied."),
  copy: optional(
    relations(writeGrant("a copy", "Columns that may be loaded.")),
    "Relations that COPY … FROM STDIN may load.",
  ),
  approval: approvalOf("statement"),
});

const verbs: readonly KubernetesVerb[] = [...API_VERBS, ...OWN_VERBS];
const fieldMasks = optional(
  mapping("a field path", mask, fieldPathFault),
  "Masks by field path of the answer.",
);
const labelMap = mapping("a label", text(63));

/** One `allow` item of a Kubernetes task. */
export const kubernetesItem = object("an allow item", {
  apiGroups: optional(list(text(253)), 'API groups, exact; [""], the core group, when left out.'),
  resources: required(
    list(located(text(253)), 1),
    "Resources, exact, with their subresource: pods, pods/log.",
  ),
  verbs: required(list(choice(verbs), 1), "What may be done."),
  namespaces: optional(list(located(glob)), "Globs; left out or empty = only what has no namespace."),
  names: optional(list(located(glob), 1), "Globs over object names; left out = any."),
  labels: optional(labelMap, "Labels that the object must have, all of them."),
  commands: optional(
    list(located(text(1000)), 1),
    "For `exec`: globs over the command's words, joined by spaces.",
  ),
  ports: optional(list(integer(1, 65535), 1), "For `portforward`."),
  mask: fieldMasks,
  secrets: optional(
    shownSecrets,
    "Types of Secrets whose values are shown: globs; left out = all are masked.",
  ),
  pods: optional(podRule, "What pods that are written may do beyond the baseline."),
  approval: approvalOf("request"),
});

const methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] as const;
const path = parsed<string>("text: a path such as /v1/orders/{id}", (value) => {
  const parts = value.split("/").slice(1);
  const segment = /^(\{[a-z][A-Za-z0-9_]*\}|[A-Za-z0-9._~*:@!$&'()+,;=-]+)$/;
  const fits = parts.every((part, i) => {
    const last = i === parts.length - 1;
    if (part.includes("**")) return last && part === "**";
    return (last && part === "") || (segment.test(part) && !/^\.\.?$/.test(part));
  });
  return value.startsWith("/") && fits
    ? { value }
    : { message: `\`${value}\` is not a path pattern`, fix: "write it like /v1/orders/{id} or /v1/files/**" };
});

/** One `allow` item of an HTTP task. */
export const httpItem = object("an allow item", {
  methods: required(list(choice(methods), 1), "Methods."),
  paths: required(list(path, 1), "Paths; `{id}` is one segment, `*` a run within one, a last `**` any rest."),
  query: optional(list(text(100)), "Query keys that may be given; none when left out."),
  mask: fieldMasks,
  approval: approvalOf("request"),
});

const paramTypes = Object.keys(paramWords) as ParamType[];

/** tasks/<task>.yaml without its `allow` items, which depend on the type of the resource. */
export const taskFields = {
  version: required(version, "The version of this format."),
  task: required(located(name), "The task's name; the file is named after it."),
  description: optional(text(500), "What the task is for, in one sentence."),
  owner: optional(text(100), "Who answers for this file."),
  who: required(
    located(
      object("who", {
        groups: optional(list(group, 1), "People in any of these groups."),
        workloads: optional(list(workload, 1), "Programs with a token that fits any of these."),
      }),
    ),
    "Who may run the task: any of these.",
  ),
  require: optional(
    located(
      object("require", {
        reason: optional(
          located(glob),
          "Glob that the whole reason must match: `*` any run, `?` one character.",
        ),
        mfa: optional(boolean, "The token must say that several factors were used (`amr` has `mfa`)."),
        hours: optional(
          parsed("text: hours", parseHours),
          "When it may start: `Mon-Fri 08:00-20:00 Europe/Berlin`.",
        ),
      }),
    ),
    "What else must hold: all of these.",
  ),
  params: optional(
    located(mapping("a parameter", choice(paramTypes), paramFault, { pattern: paramPattern })),
    "Parameters that the requester must give, with their types.",
  ),
  resource: required(located(name), "The resource, one of resources.yaml."),
  functions: optional(
    list(located(text(200)), 1),
    "Functions of the database that may be called: schema.name. What they do is theirs.",
  ),
  limits: optional(
    located(
      object("limits", {
        rows: optional(integer(1, 1e12), "Rows sent to the client in one session."),
        statements: optional(integer(1, 1e9), "Statements in one session."),
        bytes: optional(size, "Bytes sent to the client in one session."),
        statement_timeout: optional(duration, "Longest run of one statement."),
        lookups: optional(integer(1, 1e6), "Statements that look up by a masked value; 100 when left out."),
      }),
    ),
    "Limits of one session.",
  ),
  session: optional(
    located(
      object("session", {
        ttl: optional(duration, "Longest life of a session; 1h when left out."),
        idle: optional(duration, "It ends after so long without a statement; 10m when left out."),
        max_concurrent: optional(integer(1, 1000), "Open sessions of one grant at a time."),
        temporary_tables: optional(boolean, "True: a session may make temporary tables for what it may see."),
        pooled: optional(
          boolean,
          "True: a pool may put a session back to its start: DISCARD, RESET ALL, UNLISTEN.",
        ),
        listen: optional(list(channel, 1), "Channels that it may LISTEN on; what is sent there is shown."),
        notify: optional(list(channel, 1), "Channels that it may send to by NOTIFY and pg_notify()."),
      }),
    ),
    "How long a session lives.",
  ),
  approval: optional(
    located(
      object("approval", {
        from: required(object("from", { groups }), "Who may approve; never the requester."),
        count: optional(integer(1, 20), "How many distinct people must approve; 1 when left out."),
        expires: optional(duration, "How long a request waits; 15m when left out."),
        emergency: optional(
          object("emergency", {
            review: required(object("review", { groups }), "Who must look at each use afterwards."),
            quota: optional(integer(1, 100), "How often a person may do so in 24 hours; 1 when left out."),
          }),
          "The grant may be had without waiting, with an alarm. Statements that wait still do.",
        ),
      }),
    ),
    "The whole grant waits for people's yes; left out = none needed.",
  ),
  recording: optional(
    located(
      object("recording", {
        level: optional(
          choice(["full", "statements"]),
          "`full` keeps rows as the user saw them, `statements` only their digests; full when left out.",
        ),
        on_failure: optional(
          choice(["terminate", "continue"]),
          "What happens when it cannot be recorded; terminate when left out.",
        ),
        durability: optional(
          choice(["batched", "strict"]),
          "`strict` flushes each record to disk before its statement runs; batched when left out.",
        ),
        sealed: optional(
          boolean,
          "True: it is sealed to the connector's auditors, and neither the edge nor its store can read it.",
        ),
      }),
    ),
    "The recording.",
  ),
};

/** A task file for each type of resource. */
export const taskShapes = {
  postgres: object("the task", { ...taskFields, allow: allowOf(sqlItem) }),
  kubernetes: object("the task", { ...taskFields, allow: allowOf(kubernetesItem) }),
  http: object("the task", { ...taskFields, allow: allowOf(httpItem) }),
};

function allowOf<T>(item: Shape<T>) {
  return required(located(list(located(item), 1)), "What may be done; everything else is refused.");
}

/** What a shape reads. */
export type Read<S> = S extends Shape<infer T> ? T : never;
