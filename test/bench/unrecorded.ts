/**
 * Loaded before a program (`NODE_OPTIONS=--import=…`), takes recording out of the product as it loads: the edge makes
 * no records and no roots, the connector writes nothing down. Only to measure what recording costs.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

/** By the end of a module's path: what is appended to it. */
const appended: Readonly<Record<string, string>> = {
  "/tunnel-connector/session-recording.ts":
    "SessionRecording.prototype.add = function () {}; SessionRecording.prototype.flush = function () {};",
  "/worker/sessions/connector-stream.ts": "ConnectorStream.prototype.record = function () {};",
  "/wire/recording.ts": "RunningRoot.prototype.add = function () {};",
};

/** For the edge, which esbuild bundles. */
const plugin = `{
  name: "unrecorded",
  setup(builder) {
    const appended = ${JSON.stringify(appended)};
    builder.onLoad({ filter: /\\/(connector-stream|recording)\\.ts$/ }, ({ path }) => {
      const end = Object.keys(appended).find((one) => path.endsWith(one));
      return end ? { contents: readFileSync(path, "utf8") + appended[end], loader: "ts" } : undefined;
    });
  },
}`;

registerHooks({
  load(url, context, next) {
    const path = url.startsWith("file:") ? new URL(url).pathname : "";
    if (path.endsWith("/scripts/bundle-worker.ts")) {
      const source = readFileSync(path, "utf8");
      const bundled = source.replace("plugins: [apart, required]", `plugins: [apart, required, ${plugin}]`);
      // Neither the script that is kept for everyone else, nor kept as that.
      const changed = bundled.replace('keptScript("build/worker/worker.js", SOURCES, bundle)', "bundle()");
      if (bundled === source || changed === bundled)
        throw new Error("bundle-worker.ts has changed: unrecorded.ts must follow");
      return { format: "module-typescript", source: changed, shortCircuit: true };
    }
    const end = Object.keys(appended).find((one) => path.endsWith(one) && one.startsWith("/tunnel"));
    if (end === undefined) return next(url, context);
    return {
      format: "module-typescript",
      source: `${readFileSync(path, "utf8")}\n${appended[end]}`,
      shortCircuit: true,
    };
  },
});
