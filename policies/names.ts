/** The names that a policy file may use. */

type Fault = { readonly message: string; readonly fix: string };

/** Longest PostgreSQL identifier, bytes (NAMEDATALEN - 1). */
const MAX_IDENTIFIER = 63;

/** A name of a task, resource, connector or person: it appears in paths, headers and file names. */
export const namePattern = "^[a-z][a-z0-9-]{0,62}$";

/** Null, or what is wrong with a task, resource, connector or person name. */
export function nameFault(name: string): Fault | null {
  if (new RegExp(namePattern).test(name)) return null;
  const near = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "");
  return {
    message: `\`${name}\` is not a name: a name has lower-case letters, digits and dashes, and starts with a letter`,
    fix: near === "" ? "choose another name" : `write \`${near.slice(0, 63)}\``,
  };
}

/** A parameter: it becomes part of a setting's name (`wicket.p_<name>`) and of a placeholder (`:name`). */
export const paramPattern = "^[a-z][a-z0-9_]{0,39}$";

/** Null, or what is wrong with a parameter name. */
export function paramFault(name: string): Fault | null {
  if (new RegExp(paramPattern).test(name)) return null;
  return {
    message: `\`${name}\` is not a parameter name: lower-case letters, digits and underscores, at most 40`,
    fix: "write it like customer_id",
  };
}

/** Null, or what is wrong with a column name. Names are as the catalog has them: case matters, no quotes. */
export function columnFault(name: string): Fault | null {
  if (name.startsWith('"')) {
    return {
      message: `column names are written as the catalog has them, without SQL quotes`,
      fix: `write ${name.slice(1).replace(/"$/, "")}`,
    };
  }
  return identifierFault(name, "column");
}

/** A channel of LISTEN and NOTIFY. In plain letters, so that it is the same in every encoding of a database. */
export const channelPattern = "^[A-Za-z0-9_][A-Za-z0-9_.:$-]{0,62}$";

/** Null, or what is wrong with a channel's name. Case matters: SQL folds a name without quotes to lower case. */
export function channelFault(name: string): Fault | null {
  if (new RegExp(channelPattern).test(name)) return null;
  return {
    message: `\`${name}\` is not a channel: letters, digits, _ . : $ and -, at most 63`,
    fix: "name each channel as LISTEN has it",
  };
}

/** Built-in functions that a task may list: locks between sessions that agree on numbers, which hold nothing of the data. */
export const ADVISORY_LOCKS = /^pg_(try_)?advisory_(xact_)?(lock|unlock)(_shared)?$/;

/**
 * Splits `schema.relation`. Each part is the name as the catalog has it (case matters); a part that itself has a
 * dot is written in double quotes, with `""` for a quote in it.
 */
export function parseQualified(text: string, what = "relation"): { schema: string; name: string } | Fault {
  const parts = /^("(?:[^"]|"")+"|[^".]+)\.("(?:[^"]|"")+"|[^".]+)$/.exec(text);
  if (parts === null) {
    const fix = /^[^".]+$/.test(text) ? `name the schema: public.${text}` : `write it as schema.${what}`;
    return { message: `\`${text}\` is not a ${what} of the form schema.${what}`, fix };
  }
  const [schema, name] = parts.slice(1).map(unquote) as [string, string];
  const fault = identifierFault(schema, "schema") ?? identifierFault(name, what);
  if (fault) return fault;
  if (what === "function" && schema === "pg_catalog" && ADVISORY_LOCKS.test(name)) return { schema, name };
  if (/^(pg_|information_schema$)/.test(schema)) {
    return {
      message: `the system schema \`${schema}\` cannot be granted by a task`,
      fix: "remove it: the safe part of the catalog is readable in every session",
    };
  }
  return { schema, name };
}

function identifierFault(name: string, what: string): Fault | null {
  if (name === "" || name.includes("\0") || !name.isWellFormed() || name.trim() !== name) {
    return { message: `\`${name}\` is not a ${what} name`, fix: "write the name as the catalog has it" };
  }
  if (new TextEncoder().encode(name).length > MAX_IDENTIFIER) {
    return {
      message: `the ${what} name is longer than ${MAX_IDENTIFIER} bytes`,
      fix: "PostgreSQL cuts names there: write the cut name",
    };
  }
  if (what !== "schema" && name.includes("*")) {
    return { message: `a ${what} name has no wildcards`, fix: `name each ${what}` };
  }
  return null;
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part;
}
