/**
 * PostgreSQL's own grammar (libpg_query, WebAssembly) behind a small synchronous face.
 * `scripts/prepare-parser.ts` makes the module and the glue; both runtimes load the same two files.
 */
import type { Tree } from "./tree.ts";

/** The part of the Emscripten module that is used here. */
export interface ParserInstance {
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _free(pointer: number): void;
  _wasm_parse_query_raw(text: number): number;
  _wasm_free_parse_result(result: number): void;
  _wasm_fingerprint(text: number): number;
  _wasm_free_string(text: number): void;
}

/** Default export of `build/parser/libpg-query.js`. */
export type ParserFactory = (options: {
  instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void): void;
  print(line: string): void;
  printErr(line: string): void;
}) => ParserInstance;

export type ParseResult =
  | { readonly ok: true; readonly tree: Tree }
  | { readonly ok: false; readonly error: SyntaxFault };

/**
 * `syntax`: the text is not SQL; `cursor` is a 0-based character offset, as PostgreSQL counts.
 * `fatal`: the parser itself gave up (stack, memory); its instance has been dropped.
 */
export type SyntaxFault =
  | { readonly kind: "syntax"; readonly message: string; readonly cursor: number | null }
  | { readonly kind: "fatal"; readonly message: string };

export interface Parser {
  /** Parses a whole text, possibly of several statements. Offsets in the tree are UTF-8 byte offsets. */
  parse(text: string): ParseResult;
  /** 16 hex digits, equal for texts that differ only in constants; null when the text does not parse. */
  fingerprint(text: string): string | null;
}

/**
 * A parser on a compiled module. The instance (35 MiB) is made at first use and again after every fault that
 * is not a plain syntax error, because a stack overflow leaks the parse context.
 */
export function createParser(module: WebAssembly.Module, factory: ParserFactory): Parser {
  let instance: ParserInstance | null = null;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();

  function start(): ParserInstance {
    const silent = () => {};
    return factory({
      instantiateWasm: (imports, done) => done(new WebAssembly.Instance(module, imports)),
      print: silent,
      printErr: silent,
    });
  }

  function withText<T>(text: string, use: (parser: ParserInstance, pointer: number) => T): T | Error {
    try {
      instance ??= start();
      const parser = instance;
      const bytes = encoder.encode(text);
      const pointer = parser._malloc(bytes.length + 1);
      if (pointer === 0) throw new Error("out of memory");
      parser.HEAPU8.set(bytes, pointer);
      parser.HEAPU8[pointer + bytes.length] = 0;
      const result = use(parser, pointer);
      parser._free(pointer);
      return result;
    } catch (error) {
      instance = null;
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  function readWord(parser: ParserInstance, pointer: number): number {
    const heap = parser.HEAPU8;
    return (
      (heap[pointer]! |
        (heap[pointer + 1]! << 8) |
        (heap[pointer + 2]! << 16) |
        (heap[pointer + 3]! << 24)) >>>
      0
    );
  }

  function readText(parser: ParserInstance, pointer: number): string {
    const heap = parser.HEAPU8;
    return decoder.decode(heap.subarray(pointer, heap.indexOf(0, pointer)));
  }

  return {
    parse(text) {
      if (text.includes("\0")) return syntax("the text contains a NUL character", null);
      const result = withText(text, (parser, pointer): ParseResult => {
        const answer = parser._wasm_parse_query_raw(pointer);
        if (answer === 0) throw new Error("out of memory");
        // PgQueryParseResult: parse_tree, stderr_buffer, error; PgQueryError: message, funcname, filename,
        // lineno, cursorpos (1-based character, 0 when unknown).
        const fault = readWord(parser, answer + 8);
        let parsed: ParseResult;
        if (fault !== 0) {
          const cursor = readWord(parser, fault + 16) | 0;
          parsed = syntax(readText(parser, readWord(parser, fault)), cursor > 0 ? cursor - 1 : null);
        } else {
          parsed = { ok: true, tree: JSON.parse(readText(parser, readWord(parser, answer))) as Tree };
        }
        parser._wasm_free_parse_result(answer);
        return parsed;
      });
      if (result instanceof Error) return { ok: false, error: { kind: "fatal", message: result.message } };
      if (!result.ok && result.error.message.startsWith("memory exhausted")) instance = null;
      return result;
    },
    fingerprint(text) {
      const result = withText(text, (parser, pointer) => {
        const answer = parser._wasm_fingerprint(pointer);
        if (answer === 0) return null;
        const value = readText(parser, answer);
        parser._wasm_free_string(answer);
        return /^[0-9a-f]{16}$/.test(value) ? value : null;
      });
      return result instanceof Error ? null : result;
    },
  };
}

function syntax(message: string, cursor: number | null): ParseResult {
  return { ok: false, error: { kind: "syntax", message, cursor } };
}
