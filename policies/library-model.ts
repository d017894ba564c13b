/** The files of a task library beside its tasks: resources.yaml, people.yaml and tasks/<task>.test.yaml. */
import { isMap } from "yaml";
import { claims, group, name } from "./model.ts";
import { nameFault, namePattern } from "./names.ts";
import {
  boolean,
  choice,
  json,
  list,
  located,
  mapping,
  object,
  optional,
  required,
  type Shape,
  scalar,
  text,
  version,
} from "./shape.ts";

/** resources.yaml */
export const resourcesFile = object("resources.yaml", {
  version: required(version, "The version of this format."),
  resources: required(
    mapping(
      "a resource",
      object("a resource", {
        type: required(choice(["postgres", "kubernetes", "http"]), "What it is."),
        connector: required(located(name), "The connector that can open it."),
      }),
      nameFault,
      { pattern: namePattern },
    ),
    "The resources by name.",
  ),
  connectors: optional(
    list(name, 1),
    "The connectors that are meant to exist: with this list a resource with another one is an error.",
  ),
});

const person = {
  groups: optional(list(group), "Groups in the person's token."),
  claims: optional(claims, "Other claims of the token."),
};

/** people.yaml, the people of `wicket dev`. */
export const peopleFile = object("people.yaml", {
  version: required(version, "The version of this format."),
  people: required(
    mapping("a person", object("a person", person), nameFault, { pattern: namePattern }),
    "The people by name.",
  ),
});

/** `allow`, or a mapping with `deny`, `hold` or `allow` and `masked`. */
const expectation: Shape<Expectation> = {
  words: "allow, { deny: CODE }, { hold: true } or { allow: true, masked: [columns] }",
  schema: {
    anyOf: [
      { const: "allow" },
      {
        type: "object",
        properties: { deny: { type: "string" } },
        required: ["deny"],
        additionalProperties: false,
      },
      {
        type: "object",
        properties: { hold: { const: true } },
        required: ["hold"],
        additionalProperties: false,
      },
      {
        type: "object",
        properties: { allow: { const: true }, masked: { type: "array", items: { type: "string" } } },
        required: ["allow"],
        additionalProperties: false,
      },
    ],
  },
  read(node, reader, place) {
    const word = scalar(node);
    if (word === "allow") return { effect: "allow", masked: [] };
    if (!isMap(node)) {
      const message = `\`expect\` must be ${this.words}`;
      return reader.error(
        "WRONG_TYPE",
        place,
        message,
        word === "deny" ? "name the code: { deny: CODE }" : null,
      );
    }
    const parts = object("expect", {
      allow: optional(boolean, "True."),
      masked: optional(list(text(200)), "Columns that must be among the masked ones."),
      deny: optional(text(100), "The reason code."),
      hold: optional(boolean, "True."),
    }).read(node, reader, place);
    if (parts === undefined) return undefined;
    const { allow, masked, deny, hold } = parts;
    if (deny !== undefined && allow === undefined && hold === undefined && masked === undefined) {
      return { effect: "deny", code: deny };
    }
    if (hold === true && allow === undefined && masked === undefined) return { effect: "hold" };
    if (allow === true && hold === undefined) return { effect: "allow", masked: masked ?? [] };
    return reader.error("BAD_VALUE", place, `\`expect\` must be ${this.words}`);
  },
};

/** What a test expects of the decision. */
export type Expectation =
  | { readonly effect: "allow"; readonly masked: readonly string[] }
  | { readonly effect: "deny"; readonly code: string }
  | { readonly effect: "hold" };

/** tasks/<task>.test.yaml */
export const testFile = object("the test file", {
  version: optional(version, "The version of this format."),
  identities: optional(
    mapping(
      "a person",
      object("a person", { ...person, issuer: optional(text(500), "The token's issuer.") }),
    ),
    "Who asks, by name; names that are not here are those of people.yaml.",
  ),
  tests: required(
    list(
      located(
        object("a test", {
          as: required(text(100), "Who asks."),
          sql: optional(text(64 * 1024), "The statement."),
          request: optional(json, "The request: `GET /path` or a mapping."),
          params: optional(mapping("a parameter", json), "Parameters of the grant."),
          reason: optional(text(2000), "The reason given."),
          at: optional(text(40), "When: a time with an offset."),
          expect: required(expectation, "The expected decision."),
        }),
      ),
      1,
    ),
    "The tests.",
  ),
});
