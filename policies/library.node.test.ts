/** The demo library and what is generated from the model: read from disk, so only in Node. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Validator } from "@cfworker/json-schema";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { readLibraryFiles } from "../client/policy/library.ts";
import { generatedPolicyFiles } from "../scripts/policy-schema.ts";
import { compileLibrary } from "./compile.ts";
import { jsonSchemas } from "./schema.ts";

const root = join(import.meta.dirname, "..");
const files = readLibraryFiles(join(root, "policies", "library"));
const schemas = jsonSchemas();

function accepts(schema: string, value: unknown): boolean {
  return new Validator(schemas[schema] as never, "2020-12", false).validate(value as never).valid;
}

test("the demo library has no problem, not even a warning", () => {
  const compiled = compileLibrary(files);
  expect(compiled.problems).toEqual([]);
  expect(compiled.ok && Object.keys(compiled.library.bundle.tasks)).toEqual([
    "order-lookup",
    "orders-analyst",
    "refund-investigation",
    "warehouse-shipping",
  ]);
  expect(compiled.ok && compiled.library.people).toMatchObject({
    tina: { groups: ["support"], claims: { email: "tina@example.com" } },
    lee: { groups: ["support", "support-leads"] },
    omar: { groups: ["warehouse"] },
  });
});

test("the committed schemas and tables are those of the model (node scripts/policy-schema.ts makes them)", () => {
  for (const [path, text] of generatedPolicyFiles()) {
    expect(readFileSync(join(root, path), "utf8"), path).toBe(text);
  }
});

test("the schemas accept every file of the demo library", () => {
  for (const [path, text] of files) {
    const name = path.endsWith(".test.yaml")
      ? "test"
      : path.startsWith("tasks/")
        ? "task"
        : path.replace(".yaml", "");
    expect(accepts(`${name}.v1.json`, parse(text)), path).toBe(true);
  }
});

test("the schema sees what an editor should underline", () => {
  const text = files.get("tasks/refund-investigation.yaml")!;
  const changed = (from: string, to: string) => {
    expect(text).toContain(from);
    return accepts("task.v1.json", parse(text.replace(from, to)));
  };
  expect(changed("owner:", "ownr:")).toBe(false);
  expect(changed("email: email", "email: emial")).toBe(false);
  expect(changed("email: email", "email: null")).toBe(true);
  expect(changed("ttl: 30m", "ttl: 30")).toBe(false);
  expect(changed("customer: integer", "customer: int")).toBe(false);
  expect(changed("rows: id =", "row: id =")).toBe(false);
});

test("the page's example is a task that loads", () => {
  const page = readFileSync(join(root, "docs", "policies.md"), "utf8");
  const example = /```yaml\n(# yaml-language-server[\s\S]*?)```/.exec(page)![1]!;
  const compiled = compileLibrary(
    new Map([
      ["resources.yaml", files.get("resources.yaml")!],
      ["tasks/refund-investigation.yaml", example],
    ]),
  );
  expect(compiled.problems).toEqual([]);
});
