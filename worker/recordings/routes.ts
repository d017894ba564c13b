/**
 * Recordings come in from connectors, segment by segment, and go out to the person who was recorded and to
 * administrators. Each reading is an event too.
 */
import { waitUntil } from "cloudflare:workers";
import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { fromBase64, fromUtf8 } from "../../wire/log/bytes.ts";
import { MAX_STORED, readSegmentHeader } from "../../wire/recording.ts";
import { findSession } from "../audit/store.ts";
import { authenticateConnector } from "../connectors/authenticate.ts";
import type { Bindings } from "../env.ts";
import { type Caller, callerActor, type Problem, problem, requireCaller } from "../identity/http.ts";
import { proofDocument } from "../log/proofs.ts";
import type { StoredSoFar } from "../sessions/ending.ts";
import { isAnySession, sessionObject } from "../sessions/names.ts";
import { noteSegment } from "./ledger.ts";
import { mayRead, tellReading } from "./reading.ts";
import { INDEX_PAGE, indexSegments } from "./segment-index.ts";
import { getSegment, listSegments, putSegment } from "./store.ts";

interface Routes {
  Bindings: Bindings;
  Variables: { caller: Caller };
}

const unknownSession: Problem = {
  ...{ status: 404, code: "SESSION_UNKNOWN", message: "there is no such session, or it is not yours to see" },
  hint: "`wicket sessions` lists them.",
};

export function recordingRoutes(): Hono<Routes> {
  const app = new Hono<Routes>();

  app.put("/connector/recordings/:sid/:sequence", (context) => upload(context));

  app.get("/api/sessions/:id/recording", requireCaller() as never, async (context) => {
    const sid = await readable(context, null);
    if (sid === null) return problem(unknownSession);
    const segments = await listSegments(context.env.RECORDINGS, sid);
    const last = segments.at(-1);
    const object = last && (await getSegment(context.env.RECORDINGS, sid, last.sequence));
    const read = object && readSegmentHeader(new Uint8Array(await object.arrayBuffer()));
    const header = read?.ok ? read.header : null;
    return context.json({ segments, final: header?.final?.reason ?? null, sealed: header?.sealed ?? null });
  });

  /** What stands where, a page at a time: `?after=N` goes on behind segment N; `next` is the next page's. */
  app.get("/api/sessions/:id/recording/index", requireCaller() as never, async (context) => {
    const after = context.req.query("after");
    const from = after === undefined ? -1 : sequenceFrom(after);
    if (from === null) return refuse(400, "AFTER_INVALID", "`after` is the number of a segment");
    const sid = await readable(context, after === undefined ? null : from);
    if (sid === null) return problem(unknownSession);
    const stored = await listSegments(context.env.RECORDINGS, sid, from);
    const page = stored.slice(0, INDEX_PAGE);
    const segments = await indexSegments(context.env.RECORDINGS, sid, page);
    const next = stored.length > page.length ? page.at(-1)!.sequence : null;
    return context.json({ segments, next }, 200, { "cache-control": "private, no-store" });
  });

  app.get("/api/sessions/:id/recording/proof", requireCaller() as never, async (context) => {
    const sid = await readable(context, null);
    if (sid === null) return problem(unknownSession);
    const proofs = await proofDocument(context.env, sid);
    return proofs.ok ? context.json(proofs.document) : refuse(503, proofs.code, proofs.message);
  });

  app.get("/api/sessions/:id/recording/:sequence", requireCaller() as never, async (context) => {
    const sequence = sequenceFrom(context.req.param("sequence"));
    const sid = sequence === null ? null : await readable(context, sequence);
    const object = sid === null ? null : await getSegment(context.env.RECORDINGS, sid, sequence!);
    if (!object) return problem(unknownSession);
    return new Response(object.body, {
      headers: {
        "content-type": "application/octet-stream",
        "content-length": String(object.size),
        "content-disposition": "attachment",
        "cache-control": "private, no-store",
      },
    });
  });

  return app;
}

/** The session's id when the caller may read its recording, and the reading is written down. */
async function readable(context: Context<Routes>, sequence: number | null): Promise<string | null> {
  const caller = context.get("caller");
  const id = context.req.param("id") ?? "";
  const row = isAnySession(id) ? await findSession(context.env.DB, id) : null;
  if (!row || !mayRead(row, caller)) return null;
  const own = row.issuer === caller.identity.issuer && row.subject === caller.identity.subject;
  // One event a reading, not one a segment: a player fetches the list first, then all of it.
  if (sequence === null || !own)
    await tellReading(context.env, row, caller.identity, sequence, callerActor(caller));
  return id;
}

async function upload(context: Context<Routes>): Promise<Response> {
  const { env } = context;
  const sid = context.req.param("sid") ?? "";
  const sequence = sequenceFrom(context.req.param("sequence") ?? "");
  if (!isAnySession(sid) || sequence === null)
    return refuse(404, "SESSION_UNKNOWN", "there is no such recording");
  const length = Number(context.req.header("content-length") ?? Number.NaN);
  if (length > MAX_STORED)
    return refuse(413, "SEGMENT_TOO_LARGE", `a segment has at most ${MAX_STORED} bytes`);
  // Who it is comes first: nothing of the body is read before.
  const verified = await authenticateConnector(context.req.raw, env);
  if (!verified.ok) return problem(verified);
  // A length that is stated is kept to by the runtime; reading piece by piece costs several times as much.
  const { raw } = context.req;
  const bytes = Number.isNaN(length)
    ? await readUpTo(raw.body, MAX_STORED)
    : new Uint8Array(await raw.arrayBuffer());
  if (!bytes) return refuse(413, "SEGMENT_TOO_LARGE", `a segment has at most ${MAX_STORED} bytes`);
  const sum = createHash("sha256").update(bytes).digest();
  if (context.req.header("content-digest") !== `sha-256=:${sum.toString("base64")}:`) {
    return refuse(400, "DIGEST_MISMATCH", "Content-Digest is missing or not that of the body");
  }
  const read = readSegmentHeader(bytes);
  if (!read.ok) return refuse(400, read.code, read.message);
  const { header } = read;
  if (header.session !== sid || header.sequence !== sequence) {
    return refuse(400, "SESSION_MISMATCH", "the segment is another than the address says");
  }
  const session = sessionObject(env, sid);
  const may = await session.segmentMay(verified.name, header);
  if (!may.ok) return refuse(may.status, may.code, may.message);
  const digest = sum.toString("hex");
  let stored: Awaited<ReturnType<typeof putSegment>>;
  try {
    stored = await putSegment(env.RECORDINGS, sid, sequence, bytes, digest);
  } catch {
    return refuse(503, "STORE_UNAVAILABLE", "the segment could not be stored; try again");
  }
  if (stored === "different") {
    return refuse(409, "SEGMENT_EXISTS", "this segment is stored already, with other bytes");
  }
  let listed: StoredSoFar | null;
  try {
    const statement = statementFrom(context.req.header("wicket-statement"));
    listed = await session.segmentStored(header, digest, bytes.length, statement);
  } catch {
    return refuse(
      503,
      "LOG_UNAVAILABLE",
      "the end of the recording could not be put into the log; try again",
    );
  }
  if (listed) {
    const noted = noteSegment(env.DB, header, listed);
    waitUntil(noted.catch((cause: unknown) => console.error("recordings", cause)));
  }
  return Response.json({ sequence, digest }, { status: stored === "created" ? 201 : 200 });
}

/** The whole body, or null when it is longer than `limit`. */
async function readUpTo(body: ReadableStream<Uint8Array> | null, limit: number): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body ?? []) {
    size += part.length;
    if (size > limit) return null;
    parts.push(part);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The connector's statement about the whole recording, beside its last segment; base 64 of a signed note. */
function statementFrom(header: string | undefined): string | null {
  const bytes = header === undefined || header.length > 8192 ? null : fromBase64(header);
  return bytes && fromUtf8(bytes);
}

function sequenceFrom(text: string): number | null {
  return /^\d{1,8}$/.test(text) ? Number(text) : null;
}

function refuse(status: number, code: string, message: string): Response {
  return problem({ status, code, message, hint: "" });
}
