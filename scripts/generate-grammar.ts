/**
 * Writes `policies/postgres/grammar.generated.ts`: every node of the parser's tree and the kind of each of its
 * fields, from the type declarations that are made of the parser's own protobuf definition (`@pgsql/types`).
 *
 *     node scripts/generate-grammar.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

/** `Node -> field -> kind`: `-` scalar, `*` wrapped node, `[` list of wrapped nodes, `?` unusable, else the unwrapped type. */
export function readGrammar(declarations: string): Map<string, Map<string, string>> {
  const grammar = new Map<string, Map<string, string>>();
  for (const [, name, body] of declarations.matchAll(/export interface (\w+) \{\n([^}]*)\}/g)) {
    const fields = new Map<string, string>();
    for (const [, field, type] of body!.matchAll(/^\s+(\w+)\??: ([^;]+);/gm)) fields.set(field!, type!);
    grammar.set(name!, fields);
  }
  for (const fields of grammar.values()) {
    for (const [field, type] of fields) {
      const bare = type.replace("[]", "");
      const kind =
        type === "Node"
          ? "*"
          : type === "Node[]"
            ? "["
            : !grammar.has(bare)
              ? "-"
              : type === bare
                ? bare
                : "?";
      fields.set(field, kind);
    }
  }
  return grammar;
}

export function readDeclarations(): string {
  return readFileSync(join(root, "node_modules", "@pgsql", "types", "types.d.ts"), "utf8");
}

if (process.argv[1] === import.meta.filename) {
  const grammar = readGrammar(readDeclarations());
  const lines = [...grammar].map(
    ([name, fields]) => `  ${name}: "${[...fields].map(([field, kind]) => `${field}:${kind}`).join(" ")}",`,
  );
  writeFileSync(
    join(root, "policies", "postgres", "grammar.generated.ts"),
    `// Made by scripts/generate-grammar.ts.

/**
 * Every node type of PostgreSQL 18's raw parse tree with its fields. A field's kind is \`-\` for a scalar, \`*\`
 * for a wrapped node, \`[\` for a list of wrapped nodes, and otherwise the name of an unwrapped node type.
 */
export const GRAMMAR: Readonly<Record<string, string>> = {
${lines.join("\n")}
};
`,
  );
  console.log(`${grammar.size} node types`);
}
