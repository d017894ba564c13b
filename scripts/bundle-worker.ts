/**
 * The edge as modules for Miniflare, so that it runs without wrangler: one script, the SQL parser as compiled
 * WebAssembly, and the policies as a module of their own that can be swapped without bundling again.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { prepareConsole } from "./prepare-console.ts";
import { prepareParser } from "./prepare-parser.ts";
import { keptScript } from "./sources.ts";

const root = join(import.meta.dirname, "..");

/** A module as Miniflare takes it. */
export interface WorkerModule {
  readonly type: "ESModule" | "CompiledWasm";
  /** Its name among the modules. */
  readonly path: string;
  readonly contents: string | Uint8Array;
}

export interface WorkerBundle {
  /** All modules, for a bundle of policies (JSON text); default `build/policies.json`. */
  modules(policies?: string): WorkerModule[];
}

/** Modules that stay apart from the script, by the end of the path that imports them. */
const apart: Plugin = {
  name: "modules apart",
  setup(builder) {
    builder.onResolve({ filter: /\/policies\.json$/ }, () => ({ path: "./policies.js", external: true }));
    builder.onResolve({ filter: /\/libpg-query\.wasm$/ }, () => ({
      path: "./libpg-query.wasm",
      external: true,
    }));
  },
};

/** Packages of CommonJS modules ask for Node's modules with `require`, which a Worker's script does not have. */
const required: Plugin = {
  name: "required modules",
  setup(builder) {
    builder.onResolve({ filter: /^(crypto|util)$/ }, ({ path }) => ({ path, namespace: "required" }));
    builder.onLoad({ filter: /.*/, namespace: "required" }, ({ path }) => ({
      contents: `export * from "node:${path}"; export { default } from "node:${path}";`,
    }));
  },
};

/** What `worker/index.ts` imports lies in here, besides packages. */
const SOURCES = ["worker", "wire", "policies", "build/console", "build/parser", "scripts/bundle-worker.ts"];

/** Bundles `worker/index.ts`, or finds it bundled in `build/`. */
export async function bundleWorker(): Promise<WorkerBundle> {
  const parser = prepareParser();
  await prepareConsole();
  const script = await keptScript("build/worker/worker.js", SOURCES, bundle);
  const wasm = readFileSync(join(parser, "libpg-query.wasm"));
  return {
    modules(policies = readFileSync(join(root, "build", "policies.json"), "utf8")) {
      return [
        { type: "ESModule", path: "worker.js", contents: script },
        { type: "ESModule", path: "policies.js", contents: `export default ${policies};\n` },
        { type: "CompiledWasm", path: "libpg-query.wasm", contents: wasm },
      ];
    },
  };
}

async function bundle(): Promise<string> {
  const { build } = await import("esbuild");
  const built = await build({
    absWorkingDir: root,
    entryPoints: ["worker/index.ts"],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    jsx: "automatic",
    jsxImportSource: "hono/jsx",
    plugins: [apart, required],
    logLevel: "silent",
  });
  return built.outputFiles[0]!.text;
}
