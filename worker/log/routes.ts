/**
 * The log over HTTP, in C2SP tlog-tiles form below `/log`. Checkpoints and tiles hold hashes only and are
 * open to everyone, so that a monitor or a witness needs no account. Entries say who did what: `mayReadEntries`
 * decides.
 */
import { Hono } from "hono";
import { parseTilePath } from "../../wire/log/tile.ts";
import type { LogEnv, LogObject } from "./sequencer.ts";
import { r2LogStore } from "./store.ts";

/** Bindings of the routes. */
export interface LogRoutesEnv extends LogEnv {
  readonly LOG: DurableObjectNamespace<LogObject>;
}

/** The one log of a deployment. */
export function theLog(env: {
  readonly LOG: DurableObjectNamespace<LogObject>;
}): DurableObjectStub<LogObject> {
  return env.LOG.getByName("log");
}

/** Who may read entries: null = may, otherwise the refusal. */
export type MayReadEntries<Env> = (request: Request, env: Env) => Promise<Response | null>;

/** Routes to be mounted at `/log`. */
export function logRoutes<Env extends LogRoutesEnv>(mayReadEntries: MayReadEntries<Env>) {
  const app = new Hono<{ Bindings: Env }>();
  const immutable = "public, max-age=31536000, immutable";

  app.get("/checkpoint", async (c) => {
    const text = await theLog(c.env).checkpoint();
    if (text === null) return problem(404, "LOG_EMPTY", "the log has no entry yet");
    const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
    return c.body(text, 200, headers);
  });

  app.get("/key", async (c) => c.text(`${await theLog(c.env).verifierKey()}\n`));

  app.get("/tile/*", async (c) => {
    const path = new URL(c.req.url).pathname.replace(/^.*?\/tile\//, "tile/");
    const name = parseTilePath(path);
    if (!name) return problem(404, "NOT_FOUND", "no such tile");
    if (name.level === "entries") {
      const refusal = await mayReadEntries(c.req.raw, c.env);
      if (refusal) return refusal;
    }
    const bytes = await r2LogStore(c.env.RECORDINGS).read(path);
    if (!bytes) return problem(404, "NOT_FOUND", "no such tile");
    const cache = name.level === "entries" ? "private, no-store" : immutable;
    return c.body(bytes as Uint8Array<ArrayBuffer>, 200, {
      "content-type": "application/octet-stream",
      "cache-control": cache,
      "x-content-type-options": "nosniff",
    });
  });

  return app;
}

function problem(status: number, code: string, message: string): Response {
  return Response.json(
    { code, message, hint: "" },
    { status, headers: { "content-type": "application/problem+json", "cache-control": "no-store" } },
  );
}
