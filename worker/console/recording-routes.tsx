/** Recordings: the list with its search, the page of the player, and the segments that it plays. */
import type { Context, Hono } from "hono";
import { getCookie } from "hono/cookie";
import type { Bundle } from "../../policies/task.ts";
import { CONSOLE_COOKIE } from "../identity/authenticate.ts";
import { hashOf } from "../identity/secrets.ts";
import type { LogObject } from "../log/sequencer.ts";
import { findRecording, findStatements, listRecordings, type RecordingRow } from "../recordings/ledger.ts";
import { mayRead, readingTicket, tellReading, ticketHolds } from "../recordings/reading.ts";
import { getSegment, listSegments } from "../recordings/store.ts";
import { isAnySession } from "../sessions/names.ts";
import { PlayerPage, RecordingsPage } from "./recording-pages.tsx";
import { notFound, page } from "./respond.tsx";
import { type ConsoleEnv, type ConsoleRoutes, contentPolicy } from "./session.ts";
import { timeFrom } from "./time.ts";

/** Bindings beyond the console's own. */
type RecordingEnv = ConsoleEnv & {
  readonly RECORDINGS: R2Bucket;
  readonly LOG: DurableObjectNamespace<LogObject>;
  readonly EDGE_ORIGIN: string;
};
type RecordingContext = Context<ConsoleRoutes>;

const FILTERS = ["person", "task", "resource", "since", "until", "words"] as const;

export function recordingPages(app: Hono<ConsoleRoutes>, bundle: Bundle): void {
  app.get("/recordings", async (context) => {
    const visitor = context.get("visitor");
    const { issuer, subject } = visitor.identity;
    const query: Record<string, string> = {};
    for (const name of FILTERS) {
      const value = context.req.query(name)?.trim().slice(0, 256);
      if (value) query[name] = value;
    }
    const since = timeFrom(query["since"]);
    const until = timeFrom(query["until"]);
    const before = Number(context.req.query("before") ?? Number.NaN);
    const { person, task, resource, words } = query;
    const filter = {
      ...(visitor.admin ? {} : { issuer, subject }),
      ...{ ...(person ? { person } : {}), ...(task ? { task } : {}), ...(resource ? { resource } : {}) },
      ...{ ...(since === null ? {} : { since }), ...(until === null ? {} : { until }) },
      ...(Number.isSafeInteger(before) ? { before } : {}),
    };
    const { DB } = context.env;
    const found = words ? await findStatements(DB, words, filter) : null;
    const rows = found ? [] : await listRecordings(DB, filter);
    return page(context, <RecordingsPage {...{ visitor, rows, found, query }} />);
  });

  app.get("/recordings/:id", async (context) => {
    const row = await readable(context);
    if (!row) return notFound(context, "There is no such recording, or it is not yours to see.");
    const task = Object.hasOwn(bundle.tasks, row.task) ? bundle.tasks[row.task] : null;
    const sealed = row.sealed !== null || (row.segments === 0 && task?.recording.sealed === true);
    const resource = Object.hasOwn(bundle.resources, row.resource) ? bundle.resources[row.resource] : null;
    // Only where a terminal may have been recorded is its player allowed to run.
    if (resource?.type === "kubernetes") context.header("content-security-policy", contentPolicy("", true));
    return page(context, <PlayerPage visitor={context.get("visitor")} row={row} sealed={sealed} />);
  });

  /** The segments after number `after`, and the ticket to fetch them with. A new reading is told of. */
  app.get("/recordings/:id/segments", async (context) => {
    const row = await readable(context);
    if (!row) return context.json({ code: "SESSION_UNKNOWN" }, 404);
    const env = context.env as unknown as RecordingEnv;
    const { formToken, identity } = context.get("visitor");
    const goesOn = await ticketHolds(env, context.req.header("wicket-reading"), row.id, formToken);
    if (!goesOn) await tellReading(env, row, identity, null);
    const after = Number(context.req.query("after") ?? -1);
    const segments = await listSegments(env.RECORDINGS, row.id, Number.isSafeInteger(after) ? after : -1);
    const reading = await readingTicket(env, row.id, formToken, Date.now());
    return context.json({ reading, segments, ended: row.ended !== null });
  });

  app.get("/recordings/:id/segments/:sequence", async (context) => {
    const { id, sequence } = context.req.param();
    const env = context.env as unknown as RecordingEnv;
    const secret = getCookie(context, CONSOLE_COOKIE) ?? "";
    const holder = await hashOf(`form:${secret}`);
    if (!isAnySession(id) || !(await ticketHolds(env, context.req.header("wicket-reading"), id, holder))) {
      return context.json({ code: "READING_OVER" }, 403);
    }
    const object = /^\d{1,8}$/.test(sequence) ? await getSegment(env.RECORDINGS, id, Number(sequence)) : null;
    if (!object) return context.json({ code: "SEGMENT_UNKNOWN" }, 404);
    return new Response(object.body, {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(object.size),
        "content-disposition": "attachment",
        "cache-control": "private, no-store",
      },
    });
  });
}

async function readable(context: RecordingContext): Promise<RecordingRow | null> {
  const id = context.req.param("id") ?? "";
  const row = isAnySession(id) ? await findRecording(context.env.DB, id) : null;
  return row && mayRead(row, context.get("visitor")) ? row : null;
}
