/**
 * The edge with an R2 that fails as it is told: a module before the edge's own, which hands every object and every
 * request a bucket of this kind. `POST /chaos/r2` with a state as its body changes it, and says how many requests failed
 * since it was asked last.
 */
import type { WorkerBundle, WorkerModule } from "../../scripts/bundle-worker.ts";

/**
 * `errors`: most requests fail. `hangs`: none is answered until the state changes, then all have failed. `lost`: what is
 * written is stored, but half of the answers are lost. `cut`: what is read ends too early.
 */
export type StoreState = "fine" | "errors" | "hangs" | "lost" | "cut";

const OBJECTS = ["SessionObject", "RequestObject", "GrantObject", "ConnectorObject", "LogObject"];

const MODULE = `
import * as edge from "./worker.js";

let state = "fine";
let turn = 0;
let waiting = [];
let failed = 0;

/** Three of four, in a fixed order. */
const often = () => (turn += 1) % 4 !== 0;
const failure = () => ((failed += 1), new Error("R2: we encountered an internal error (10001)"));
const cut = () => ((failed += 1), new TypeError("the body ended too early"));

async function fault() {
  if (state === "errors" && often()) throw failure();
  if (state !== "hangs") return;
  await new Promise((resolve) => waiting.push(resolve));
  throw failure();
}

function cutShort(object) {
  if (!object || state !== "cut") return object;
  return new Proxy(object, {
    get(target, name) {
      if (name === "arrayBuffer") return async () => { throw cut(); };
      if (name === "body") return new ReadableStream({ start(controller) { controller.error(cut()); } });
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const failing = (bucket) => ({
  async put(...given) {
    await fault();
    const put = await bucket.put(...given);
    if (state === "lost" && often()) throw failure();
    return put;
  },
  async get(...given) { await fault(); return cutShort(await bucket.get(...given)); },
  async head(...given) { await fault(); return bucket.head(...given); },
  async list(...given) { await fault(); return bucket.list(...given); },
  async delete(...given) { await fault(); return bucket.delete(...given); },
});
const around = (env) => ({ ...env, RECORDINGS: failing(env.RECORDINGS) });

${OBJECTS.map(
  (name) => `export class ${name} extends edge.${name} {
  constructor(ctx, env) { super(ctx, around(env)); }
}`,
).join("\n")}

export default {
  ...edge.default,
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== "/chaos/r2") return edge.default.fetch(request, around(env), ctx);
    state = await request.text();
    for (const go of waiting.splice(0)) go();
    const told = failed;
    failed = 0;
    return new Response(String(told));
  },
};
`;

/** The edge's bundle with that module in front. */
export function withStoreFaults(bundle: WorkerBundle): WorkerBundle {
  const front: WorkerModule = { type: "ESModule", path: "chaos.js", contents: MODULE };
  return { modules: (policies) => [front, ...bundle.modules(policies)] };
}
