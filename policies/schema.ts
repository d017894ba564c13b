/** The JSON Schemas (draft 2020-12) of the files of a library, made from the model, for editors. */
import { peopleFile, resourcesFile, testFile } from "./library-model.ts";
import { httpItem, kubernetesItem, sqlItem, taskShapes } from "./model.ts";
import type { JsonSchema, Shape } from "./shape.ts";

/** File name in `policies/library/schema` to schema. */
export function jsonSchemas(): Readonly<Record<string, JsonSchema>> {
  const task = taskShapes.postgres.schema as { properties: Record<string, JsonSchema> };
  const { allow, ...properties } = task.properties;
  const items = [sqlItem, kubernetesItem, httpItem].map(({ schema }) => schema);
  const allowed = { ...allow, items: { anyOf: items } };
  return {
    "task.v1.json": titled("A Wicketgate task", { ...task, properties: { ...properties, allow: allowed } }),
    "resources.v1.json": file("The resources of a Wicketgate task library", resourcesFile),
    "people.v1.json": file("The people of a Wicketgate demo", peopleFile),
    "test.v1.json": file("The tests of a Wicketgate task", testFile),
  };
}

function file(title: string, shape: Shape<unknown>): JsonSchema {
  return titled(title, shape.schema);
}

function titled(title: string, schema: JsonSchema): JsonSchema {
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title, ...schema };
}
