import { describe, expect, test } from "vitest";
import { readDeclarations, readGrammar } from "../../scripts/generate-grammar.ts";
import { GRAMMAR } from "./grammar.generated.ts";
import { queryNodes } from "./nodes.ts";
import { STATEMENT_KINDS } from "./statements.ts";

describe("the installed parser's grammar", () => {
  const grammar = readGrammar(readDeclarations());

  test("is the generated one", () => {
    const printed = Object.fromEntries(
      [...grammar].map(([name, fields]) => [
        name,
        [...fields].map(([field, kind]) => `${field}:${kind}`).join(" "),
      ]),
    );
    expect(GRAMMAR).toEqual(printed);
  });

  test("has no kind of statement that the table does not classify, and the other way round", () => {
    const kinds = [...grammar.keys()].filter((name) => name.endsWith("Stmt")).sort();
    expect([...STATEMENT_KINDS.keys()].sort()).toEqual(kinds);
  });

  test("has every node that a query may contain", () => {
    expect(queryNodes.filter((name) => !grammar.has(name))).toEqual([]);
  });
});
