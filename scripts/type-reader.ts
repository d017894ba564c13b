/**
 * Reads interfaces and type aliases of a TypeScript file, as far as plain data needs: names, literals, unions,
 * arrays, records and object types, with their doc comments. Anything else is an error, not a guess.
 */

export type Type =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "array"; readonly of: Type }
  | { readonly kind: "record"; readonly of: Type }
  | { readonly kind: "union"; readonly of: readonly Type[] }
  | { readonly kind: "object"; readonly fields: readonly Field[] };

export interface Field {
  readonly name: string;
  /** The comment above it, in one line; empty when there is none. */
  readonly doc: string;
  readonly optional: boolean;
  readonly type: Type;
}

export interface Declaration {
  readonly doc: string;
  readonly type: Type;
}

const TOKEN = /\/\*\*(.*?)\*\/|\/\/[^\n]*|"((?:[^"\\]|\\.)*)"|([A-Za-z_$][\w$]*)|\s+|(.)/gs;

interface Token {
  readonly kind: "doc" | "string" | "word" | "sign";
  readonly text: string;
}

/** Exported and local `interface` and `type` declarations that can be read, by name. */
export function readTypes(source: string): Map<string, Declaration> {
  const found = new Map<string, Declaration>();
  for (const match of source.matchAll(
    /(?:\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*)?^(?:export )?(interface|type) (\w+)( = | )/gm,
  )) {
    const [whole, doc, kind, name] = match;
    const reader = new TypeReader(source.slice(match.index + whole.length));
    try {
      found.set(name!, {
        doc: plain(doc ?? ""),
        type: kind === "interface" ? reader.object() : reader.type(),
      });
    } catch (error) {
      if (kind === "interface") throw new Error(`${name}: ${(error as Error).message}`);
      // A computed type is none of the data's own.
    }
  }
  return found;
}

function plain(comment: string): string {
  return comment
    .replace(/\n\s*\* ?/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

class TypeReader {
  readonly #tokens: Iterator<Token>;
  #next: Token | null;

  constructor(text: string) {
    this.#tokens = tokens(text);
    this.#next = this.#tokens.next().value ?? null;
  }

  #take(): Token {
    const token = this.#next;
    if (!token) throw new Error("it ends too early");
    this.#next = this.#tokens.next().value ?? null;
    return token;
  }

  #is(text: string): boolean {
    return this.#next?.kind !== "string" && this.#next?.text === text;
  }

  #expect(text: string): void {
    const token = this.#take();
    if (token.text !== text) throw new Error(`found ${token.text} instead of ${text}`);
  }

  /** `{ … }`. */
  object(): Type {
    this.#expect("{");
    const fields: Field[] = [];
    while (!this.#is("}")) {
      let doc = "";
      while (this.#next?.kind === "doc") doc = plain(this.#take().text);
      let name = this.#take();
      if (name.text === "readonly") name = this.#take();
      const optional = this.#is("?");
      if (optional) this.#take();
      this.#expect(":");
      fields.push({ name: name.text, doc, optional, type: this.type() });
      if (this.#is(";")) this.#take();
    }
    this.#take();
    return { kind: "object", fields };
  }

  /** A type, unions included. */
  type(): Type {
    if (this.#is("|")) this.#take();
    const of = [this.#one()];
    while (this.#is("|")) {
      this.#take();
      of.push(this.#one());
    }
    return of.length === 1 ? of[0]! : { kind: "union", of };
  }

  #one(): Type {
    let type = this.#single();
    while (this.#is("[")) {
      this.#take();
      this.#expect("]");
      type = { kind: "array", of: type };
    }
    return type;
  }

  #single(): Type {
    if (this.#is("{")) return this.object();
    if (this.#is("(")) {
      this.#take();
      const type = this.type();
      this.#expect(")");
      return type;
    }
    const token = this.#take();
    if (token.kind === "string") return { kind: "literal", value: token.text };
    if (token.kind !== "word") throw new Error(`${token.text} is not understood`);
    if (token.text === "readonly") return this.#one();
    if (token.text === "Readonly" || token.text === "Record") {
      this.#expect("<");
      if (token.text === "Record") {
        this.#expect("string");
        this.#expect(",");
      }
      const inner = this.type();
      this.#expect(">");
      return token.text === "Record" ? { kind: "record", of: inner } : inner;
    }
    if (this.#is("<") || token.text === "keyof") throw new Error(`${token.text} is not understood`);
    return { kind: "name", name: token.text };
  }
}

function* tokens(text: string): Iterator<Token> {
  for (const [, doc, string, word, sign] of text.matchAll(TOKEN)) {
    if (doc !== undefined) yield { kind: "doc", text: doc };
    else if (string !== undefined) yield { kind: "string", text: string };
    else if (word !== undefined) yield { kind: "word", text: word };
    else if (sign !== undefined) yield { kind: "sign", text: sign };
  }
}

/** A type as people read it. */
export function typeText(type: Type): string {
  switch (type.kind) {
    case "name":
      return type.name;
    case "literal":
      return JSON.stringify(type.value);
    case "array":
      return type.of.kind === "union" ? `(${typeText(type.of)})[]` : `${typeText(type.of)}[]`;
    case "record":
      return `{ [name]: ${typeText(type.of)} }`;
    case "union":
      return type.of.map(typeText).join(" | ");
    case "object":
      return `{ ${type.fields.map((field) => `${field.name}${field.optional ? "?" : ""}: ${typeText(field.type)}`).join(", ")} }`;
  }
}
