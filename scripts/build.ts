/**
 * Bundles the programs into one file each: `dist/wicket-connector.js`, `dist/wicket.js`, `dist/wicket-witness.mjs`.
 * They need Node 24, the witness Node 20, and nothing else. `wicket dev` and `wicket policy` need the checkout and are
 * not in there.
 */
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Packages of CommonJS modules in the bundle call `require` for Node's own modules. */
const banner = `#!/usr/bin/env node
import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

/** A word instead of a trace, when the version is too old. */
function requires(name: string, node: number): string {
  const message = JSON.stringify(`${name} needs Node ${node} or later; this is `);
  return `if (Number(process.versions.node.split(".")[0]) < ${node}) {
  console.error(${message} + process.version);
  process.exit(1);
}`;
}

/** What a program on its own does not carry says so when it is asked for. */
const checkoutOnly: Plugin = {
  name: "checkout only",
  setup(builder) {
    builder.onResolve({ filter: /^\.\.?\/(dev\/dev|policy\/commands)\.ts$/ }, ({ path }) => ({
      path,
      namespace: "absent",
    }));
    builder.onLoad({ filter: /.*/, namespace: "absent" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${/dev|policy/.exec(path)![0]} works in a checkout only`)});
export const startDev = null; export const policyCommand = null;`,
    }));
  },
};

/** Bundles one program, for Node of this version and later. Returns the file's path. */
export async function bundleProgram(entry: string, name: string, node = 24): Promise<string> {
  const outfile = join(root, "dist", name);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    outfile,
    format: "esm",
    platform: "node",
    target: `node${node}`,
    // Older versions do not know it, and would end without a word.
    define: { "import.meta.main": "true" },
    banner: { js: `${banner}\n${requires(name, node)}` },
    external: ["pg-native", "bufferutil", "utf-8-validate"],
    plugins: [checkoutOnly],
    legalComments: "external",
    logLevel: "warning",
  });
  chmodSync(outfile, 0o755);
  return outfile;
}

if (import.meta.main) {
  for (const [entry, name, node] of [
    ["tunnel-connector/main.ts", "wicket-connector.js", 24],
    ["client/main.ts", "wicket.js", 24],
    ["witness/main.ts", "wicket-witness.mjs", 20],
  ] as const) {
    const file = await bundleProgram(entry, name, node);
    console.log(`${file.slice(root.length + 1)}  ${Math.round(statSync(file).size / 1024)} KiB`);
  }
}
