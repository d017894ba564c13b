/** Runs the relay's edge in workerd, in a process of its own as `wicket dev` runs the product's. Prints its origin. */
import { join } from "node:path";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";

const built = await build({
  entryPoints: [join(import.meta.dirname, "worker.ts")],
  ...{ bundle: true, write: false, format: "esm", target: "es2024", external: ["cloudflare:*", "node:*"] },
});
const object = (className: string) => ({ className, useSQLite: true });
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    modules: [{ type: "ESModule", path: "relay.js", contents: built.outputFiles[0]!.text }],
    compatibilityDate: "2026-11-17",
    compatibilityFlags: ["no_web_socket_compression"],
    durableObjects: { SESSIONS: object("RelaySession"), CONNECTORS: object("RelayConnector") },
    host: "127.0.0.1",
    port: 0,
  } as never),
);
const ready = await miniflare.ready;
process.stdout.write(`ws://127.0.0.1:${ready.port}\n`);
