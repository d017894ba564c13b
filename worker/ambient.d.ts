/// <reference types="@cloudflare/vitest-plugin/types" />

/** A file as text (vite). */
declare module "*?raw" {
  const text: string;
  export default text;
}

/** A WebAssembly module, compiled when the Worker is deployed. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** Made by scripts/prepare-parser.ts from libpg-query. */
declare module "*/libpg-query.js" {
  const factory: import("../policies/postgres/parser.ts").ParserFactory;
  export default factory;
}

/** Made by scripts/build-policies.ts. */
declare module "*/policies.json" {
  const bundle: unknown;
  export default bundle;
}

/** Made by scripts/prepare-console.ts from worker/console/browser. */
declare module "*/console/assets.js" {
  const assets: Readonly<Record<string, { type: string; body: string; version: string }>>;
  export default assets;
}

/** The package's own declarations bring in the browser's types for the whole program. */
declare module "@xmldom/xmldom/lib/dom-parser.js" {
  export class DOMParser {
    constructor(options: {
      errorHandler: Record<"warning" | "error" | "fatalError", (message: string) => void>;
    });
    parseFromString(text: string, type: string): unknown;
  }
}
