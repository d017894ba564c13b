/** Sessions over the API: lists read D1, everything that acts goes to the session's own object. */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { RecordingState } from "../../wire/recording-end.ts";
import { findSession, listSessions, type SessionRow } from "../audit/store.ts";
import type { Bindings } from "../env.ts";
import { type Caller, numberFrom, type Problem, problem, readJson, requireCaller } from "../identity/http.ts";
import { recordingStates } from "../recordings/ledger.ts";
import { isAnySession, isRequestSession, sessionObject } from "./names.ts";

interface Routes {
  Bindings: Bindings;
  Variables: { caller: Caller };
}

const cancelSchema = v.strictObject({
  processId: v.pipe(v.number(), v.safeInteger()),
  secretKey: v.pipe(v.string(), v.regex(/^(?:[0-9a-f]{2}){4,32}$/)),
});
const killSchema = v.strictObject({
  reason: v.optional(v.pipe(v.string(), v.maxLength(500)), "ended by request"),
});

const unknownSession: Problem = {
  ...{ status: 404, code: "SESSION_UNKNOWN", message: "there is no such session, or it is not yours to see" },
  hint: "`wicket sessions` lists them.",
};
const sessionOver: Problem = {
  ...{ status: 409, code: "SESSION_ENDED", message: "the session is over" },
  hint: "",
};

export function sessionRoutes(): Hono<Routes> {
  const app = new Hono<Routes>();
  app.use("/api/sessions", requireCaller() as never);
  app.use("/api/sessions/:id", requireCaller() as never);
  app.use("/api/sessions/:id/kill", requireCaller() as never);
  app.use("/api/sessions/:id/cancel", requireCaller() as never);

  app.get("/api/sessions", async (context) => {
    const { identity, admin } = context.get("caller");
    const { issuer, subject } = identity;
    const before = numberFrom(context as never, "before");
    const limit = numberFrom(context as never, "limit");
    const { open, all, task, resource } = context.req.query();
    const rows = await listSessions(context.env.DB, {
      ...(admin && all !== undefined ? {} : { issuer, subject }),
      ...(open === undefined ? {} : { open: true }),
      ...(task ? { task } : {}),
      ...(resource ? { resource } : {}),
      ...(before === undefined ? {} : { before }),
      ...(limit === undefined ? {} : { limit }),
    });
    return context.json({ sessions: await withRecordings(context.env.DB, rows) });
  });

  app.get("/api/sessions/:id", async (context) => {
    const session = await visible(context);
    if (!session) return problem(unknownSession);
    const [row] = (await withRecordings(context.env.DB, [session])) as [Shown];
    if (row.ended !== null) return context.json(row);
    const now = await sessionObject(context.env, row.id).summary();
    if (now?.id !== row.id) return context.json(row);
    const { statements, denied, rows, bytes, ended, deadline } = now;
    const waiting = "waiting" in now ? { waiting: now.waiting } : {};
    return context.json({ ...row, statements, denied, rows, bytes, deadline, end_code: ended, ...waiting });
  });

  app.post("/api/sessions/:id/kill", async (context) => {
    const row = await visible(context);
    if (!row) return problem(unknownSession);
    if (row.ended !== null) return problem(sessionOver);
    const body = await readJson(context.req.raw, killSchema, 4096);
    if (!body.ok) return problem(body);
    await sessionObject(context.env, row.id).kill("SESSION_KILLED", body.value.reason);
    return context.json({ id: row.id, ended: true });
  });

  app.post("/api/sessions/:id/cancel", async (context) => {
    const row = await visible(context);
    if (!row) return problem(unknownSession);
    const body = await readJson(context.req.raw, cancelSchema, 1024);
    if (!body.ok) return problem(body);
    if (isRequestSession(row.id)) return problem(wrongKey);
    const { processId, secretKey } = body.value;
    const done = await context.env.SESSIONS.getByName(row.id).cancel(processId, secretKey);
    return done ? context.json({ id: row.id, cancelled: true }) : problem(wrongKey);
  });

  return app;
}

/** A session with the state of its recording (`wire/recording-end.ts`), and what there is to say of it. */
type Shown = SessionRow & {
  readonly recording: RecordingState | null;
  readonly recording_detail: string | null;
};

async function withRecordings(db: D1Database, rows: readonly SessionRow[]): Promise<Shown[]> {
  const states = await recordingStates(
    db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const { state = null, detail = null } = states.get(row.id) ?? {};
    return { ...row, recording: state, recording_detail: detail };
  });
}

const wrongKey: Problem = {
  ...{ status: 403, code: "CANCEL_KEY", message: "the key is not this session's, or the session is over" },
  hint: "",
};

/** The session when it is the caller's own, or the caller administers the edge. */
async function visible(context: Context<Routes>): Promise<SessionRow | null> {
  const { identity, admin } = context.get("caller");
  const id = context.req.param("id") ?? "";
  const row = isAnySession(id) ? await findSession(context.env.DB, id) : null;
  const own = row?.issuer === identity.issuer && row.subject === identity.subject;
  return own || admin ? row : null;
}
