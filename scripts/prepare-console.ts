/**
 * Bundles what the console sends to browsers (worker/console/browser, and the terminal player) into one module of
 * texts, build/console/assets.js, so that the Worker serves everything itself.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { keptScript } from "./sources.ts";

const root = join(import.meta.dirname, "..");
const source = join(root, "worker", "console", "browser");

/** A file for browsers. */
interface Asset {
  readonly type: string;
  readonly body: string;
  /** Start of the body's SHA-256: part of the address, so that a new version is never mixed with an old one. */
  readonly version: string;
}

async function bundled(...entries: string[]): Promise<[string, Asset][]> {
  const { build } = await import("esbuild");
  const result = await build({
    entryPoints: entries.map((name) => join(source, name)),
    outdir: "out",
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: ["chrome120", "firefox121", "safari17"],
    // Segments are parsed with the code that the connector and the edge use; its hashes are not used there.
    alias: { "node:crypto": join(source, "no-hash.ts") },
    legalComments: "inline",
    logLevel: "warning",
  });
  return result.outputFiles.map(({ path, text }) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const type = name.endsWith(".css") ? "text/css" : "text/javascript";
    const version = createHash("sha256").update(text).digest("hex").slice(0, 12);
    return [name, { type: `${type}; charset=utf-8`, body: text, version }];
  });
}

/** Makes build/console/assets.js, unless it is there already. */
export async function prepareConsole(): Promise<void> {
  const sources = [
    ...["worker/console/browser", "worker/console/visible.ts", "policies/postgres", "wire"],
    "scripts/prepare-console.ts",
  ];
  await keptScript("build/console/assets.js", sources, async () => {
    const assets = await bundled(
      ...["again.ts", "live.ts", "player.ts", "terminal.ts", "style.css", "terminal.css"],
    );
    return `export default ${JSON.stringify(Object.fromEntries(assets))};\n`;
  });
}

if (import.meta.main) await prepareConsole();
