/** The SQL parser of this isolate: one instance for all its sessions, made at the first statement. */
import factory from "../../build/parser/libpg-query.js";
import module from "../../build/parser/libpg-query.wasm";
import { createParser, type Parser } from "../../policies/postgres/parser.ts";

export const parser: Parser = createParser(module, factory);
