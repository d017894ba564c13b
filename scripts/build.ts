/**
 * Bundles the programs into one file each: `dist/wicket-connector.js`, `dist/wicket.js`, `dist/wicket-witness.js`.
 * They need Node 24 and nothing else. `wicket dev` and `wicket policy` need the checkout and are not in there.
 */
import { chmodSync, statSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");

/** Packages of CommonJS modules in the bundle call `require` for Node's own modules. */
const banner = `#!/usr/bin/env node
import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

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

/** Bundles one program. Returns the file's path. */
export async function bundleProgram(entry: string, name: string): Promise<string> {
  const outfile = join(root, "dist", name);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    outfile,
    format: "esm",
    platform: "node",
    target: "node24",
    banner: { js: banner },
    external: ["pg-native", "bufferutil", "utf-8-validate"],
    plugins: [checkoutOnly],
    legalComments: "external",
    logLevel: "warning",
  });
  chmodSync(outfile, 0o755);
  return outfile;
}

if (import.meta.main) {
  for (const [entry, name] of [
    ["tunnel-connector/main.ts", "wicket-connector.js"],
    ["client/main.ts", "wicket.js"],
    ["witness/main.ts", "wicket-witness.js"],
  ] as const) {
    const file = await bundleProgram(entry, name);
    console.log(`${file.slice(root.length + 1)}  ${Math.round(statSync(file).size / 1024)} KiB`);
  }
}
