/** The tables of docs/policies.md, made from the model so that they cannot go stale. */
import { peopleFile, resourcesFile, testFile } from "./library-model.ts";
import { httpItem, kubernetesItem, sqlItem, taskShapes } from "./model.ts";
import type { Field, Shape } from "./shape.ts";

/** The tables by the name of their place in the page (`<!-- table: NAME -->`), as Markdown. */
export function referenceTables(): Readonly<Record<string, string>> {
  return {
    task: table(taskShapes.postgres, ["allow"]),
    sql: table(sqlItem),
    kubernetes: table(kubernetesItem),
    http: table(httpItem),
    resources: table(resourcesFile),
    people: table(peopleFile),
    test: table(testFile),
  };
}

/** The page with its tables put in: the text between `<!-- table: x -->` and `<!-- end -->` is replaced. */
export function fillTables(page: string): string {
  const tables = referenceTables();
  return page.replace(/<!-- table: (\w+) -->\n[\s\S]*?<!-- end -->/g, (whole, name: string) =>
    Object.hasOwn(tables, name) ? `<!-- table: ${name} -->\n${tables[name]}<!-- end -->` : whole,
  );
}

function table(shape: Shape<unknown>, closed: readonly string[] = []): string {
  const rows = rowsOf(shape, "", closed);
  return `| key | is | meaning |\n|---|---|---|\n${rows.join("")}`;
}

function rowsOf(shape: Shape<unknown>, prefix: string, closed: readonly string[]): string[] {
  return Object.entries(shape.fields ?? {}).flatMap(([key, field]: [string, Field<unknown>]) => {
    const path = `${prefix}${key}`;
    const needed = field.required ? " (required)" : "";
    const words = cell(field.shape.fields ? `a mapping${needed}` : `${field.shape.words}${needed}`);
    const row = `| \`${path}\` | ${words} | ${cell(field.doc)} |\n`;
    const inner = field.shape.fields ? field.shape : field.shape.inner;
    if (!inner?.fields || closed.includes(key)) return [row];
    const step = field.shape.fields ? "." : field.shape.step;
    return [row, ...rowsOf(inner, `${path}${step}`, [])];
  });
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
