/** Test dependencies that carry no types, as far as the tests use them. */
declare module "pg-copy-streams" {
  import type { Duplex } from "node:stream";
  import type { Submittable } from "pg";
  export function to(text: string): Submittable & Duplex;
  export function from(text: string): Submittable & Duplex;
}
declare module "pg-cursor" {
  import type { Submittable } from "pg";
  export default class Cursor implements Submittable {
    constructor(text: string, values: readonly unknown[]);
    submit(connection: unknown): void;
    read(rows: number): Promise<{ id: number }[]>;
    close(): Promise<void>;
  }
}
/** Its own types bring in the browser's for the whole program. */
declare module "samlify/build/index.js" {
  // biome-ignore lint/suspicious/noExplicitAny: settings and answers of many shapes
  type Made = any;
  const samlify: {
    setSchemaValidator(validator: { validate(xml: string): Promise<string> }): void;
    ServiceProvider(settings: object): Made;
    IdentityProvider(settings: object): Made;
  };
  export default samlify;
}
