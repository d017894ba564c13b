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
