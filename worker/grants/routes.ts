/**
 * `/api/requests`: ask, list, decide, revoke. `/api/identities`: disable and enable. `/api/audit`: search.
 * Bearer tokens only; JSON in and out; refusals are problem documents.
 */
import { type Context, Hono } from "hono";
import * as v from "valibot";
import type { Bundle } from "../../policies/task.ts";
import { EXPORT_FORMATS, exportEvent } from "../audit/export.ts";
import { recordEvents } from "../audit/record.ts";
import { type EventFilter, listEvents } from "../audit/store.ts";
import { visible } from "../console/visible.ts";
import {
  type CallerRoutes,
  callerActor,
  numberFrom,
  problem,
  readJson,
  requireCaller,
  unavailable,
} from "../identity/http.ts";
import { endLoginsOf } from "../identity/logins.ts";
import { disableIdentity, enableIdentity } from "../identity/people.ts";
import { askForGrant, decideOn, revokeGrant, viewGrant } from "./ask.ts";
import type { Grant, GrantResult, GrantStatus } from "./grant.ts";
import { type GrantRow, listGrants } from "./ledger.ts";
import { notePolicies, type PolicyEnv } from "./policy-change.ts";
import { revokeGrantsOf, revokeOutdated } from "./sweep.ts";

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const paramValue = v.pipe(
  v.union([text(10_000), v.number(), v.boolean()]),
  v.transform((value) => String(value)),
);

/** `30m`, `1h30m`, `90s`, or a number of seconds; milliseconds, or null when it is neither. */
export function durationMs(value: string | number): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? Math.round(value * 1000) : null;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const match = /^(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s)?$/.exec(value.trim());
  if (!match || value.trim() === "") return null;
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return ((hours! * 60 + minutes!) * 60 + seconds!) * 1000;
}

const askSchema = v.strictObject({
  task: text(128),
  params: v.optional(v.record(text(128), paramValue), {}),
  reason: v.optional(v.nullable(text(2000)), null),
  description: v.optional(v.nullable(text(4000)), null),
  /** `30m`, or seconds. */
  duration: v.optional(v.nullable(v.union([text(32), v.number()])), null),
  /** How many sessions may be started; 1 = single use. */
  sessions: v.optional(v.nullable(v.number()), null),
  /** Without waiting for approval, where the task allows that. */
  emergency: v.optional(v.boolean(), false),
});
const commentSchema = v.strictObject({
  reason: v.optional(v.nullable(text(1000)), null),
  /** Of a statement: the digest of what was shown. Another one is not approved. */
  seen: v.optional(text(64)),
});
const identitySchema = v.strictObject({
  issuer: text(512),
  subject: text(255),
  why: v.optional(text(1000), ""),
});

/** The routes, over one policy bundle. */
export function grantRoutes(bundle: Bundle): Hono<CallerRoutes> {
  const app = new Hono<CallerRoutes>();
  app.onError(unavailable);
  for (const path of [
    "/api/requests",
    "/api/requests/*",
    "/api/identities/*",
    "/api/audit",
    "/api/policies/*",
  ]) {
    app.use(path, requireCaller());
  }

  app.post("/api/requests", async (context) => {
    const { identity, credential } = context.get("caller");
    const body = await readJson(context.req.raw, askSchema);
    if (!body.ok) return problem(body);
    const { task, params, reason, description, duration, sessions, emergency } = body.value;
    const ms = duration === null ? null : durationMs(duration);
    if (duration !== null && ms === null) {
      return problem({
        ...{ status: 400, code: "DURATION_INVALID", message: "the duration is not a time like 30m or 1h" },
        hint: "Give hours, minutes or seconds: 30m.",
      });
    }
    if (credential.actor) {
      return problem({
        ...{ status: 403, code: "TOKEN_ACTOR", message: "who acts for a person asks with a token exchange" },
        hint: "POST /oauth2/token with subject_token and actor_token.",
      });
    }
    const asked = {
      ...{ identity, actor: null, task, params, reason, description, durationMs: ms, sessions, emergency },
    };
    const result = await askForGrant(context.env, bundle, asked, Date.now());
    if (!result.ok) return problem(result);
    return context.json(requestJson(result.grant, context.env.EDGE_ORIGIN), 201);
  });

  app.get("/api/requests", async (context) => {
    const { identity, admin } = context.get("caller");
    const status = context.req.query("status");
    const rows = await listGrants(
      context.env.DB,
      {
        asked: context.req.query("implicit") === undefined,
        ...(status ? { status: status as GrantStatus } : {}),
        ...(context.req.query("task") ? { task: context.req.query("task")! } : {}),
        ...(context.req.query("mine") !== undefined
          ? { issuer: identity.issuer, subject: identity.subject }
          : {}),
        ...(admin && context.req.query("all") !== undefined ? {} : { visibleTo: identity }),
        limit: numberFrom(context, "limit") ?? 100,
      },
      Date.now(),
    );
    return context.json({ requests: rows.map((row) => rowJson(row, context.env.EDGE_ORIGIN)) });
  });

  app.get("/api/requests/:id", async (context) => {
    const { identity, admin } = context.get("caller");
    const view = await viewGrant(context.env, context.req.param("id"), identity, admin);
    if (!view) return problem(unknownRequest);
    return context.json({
      ...requestJson(view.grant, context.env.EDGE_ORIGIN),
      ...{ sessions: view.sessions, may_decide: view.mayDecide, may_revoke: view.mayRevoke },
      ...{ may_review: view.mayReview },
    });
  });

  for (const verdict of ["approve", "deny", "review"] as const) {
    app.post(`/api/requests/:id/${verdict}`, async (context) => {
      const { identity, credential } = context.get("caller");
      const body = await readJson(context.req.raw, commentSchema);
      if (!body.ok) return problem(body);
      const by = { identity, via: credential.actor ?? null };
      const id = context.req.param("id")!;
      const { seen } = body.value;
      if (seen !== undefined) {
        const shown = (await viewGrant(context.env, id, identity, false))?.grant.statement?.digest;
        if (shown !== undefined && shown !== seen) return problem(notSeen);
      }
      const result = await decideOn(context.env, id, by, verdict, body.value.reason, Date.now());
      return answer(result, context.env.EDGE_ORIGIN);
    });
  }

  const revoke = async (context: Context<CallerRoutes>): Promise<Response> => {
    const body = await readJson(context.req.raw, commentSchema);
    if (!body.ok) return problem(body);
    const { identity, admin } = context.get("caller");
    const message = body.value.reason ?? "revoked";
    const result = await revokeGrant(context.env, context.req.param("id")!, { identity, admin }, message);
    return answer(result, context.env.EDGE_ORIGIN);
  };
  app.post("/api/requests/:id/revoke", revoke);
  app.delete("/api/requests/:id", revoke);

  for (const verb of ["disable", "enable"] as const) {
    app.post(`/api/identities/${verb}`, async (context) => {
      const caller = context.get("caller");
      if (!caller.admin) return problem(notAdmin);
      const body = await readJson(context.req.raw, identitySchema);
      if (!body.ok) return problem(body);
      const { issuer, subject, why } = body.value;
      const actor = callerActor(caller);
      if (verb === "enable") {
        await enableIdentity(context.env.DB, { issuer, subject });
        const event = {
          type: "identity.enabled",
          severity: "info",
          actor,
          data: { issuer, subject },
        } as const;
        await recordEvents(context.env, [event]);
        return context.json({ issuer, subject, status: "enabled" });
      }
      await disableIdentity(context.env.DB, { issuer, subject }, why, Date.now());
      await endLoginsOf(context.env.DB, { issuer, subject }, Date.now());
      const event = {
        type: "identity.disabled",
        severity: "warn",
        actor,
        data: { issuer, subject, why },
      } as const;
      await recordEvents(context.env, [event]);
      const revoked = await revokeGrantsOf(
        context.env,
        { issuer, subject },
        "IDENTITY_DISABLED",
        "the identity was disabled",
      );
      return context.json({ issuer, subject, status: "disabled", revoked });
    });
  }

  /** Ends what was granted under policies that are no longer in force. */
  app.post("/api/policies/sweep", async (context) => {
    const caller = context.get("caller");
    if (!caller.admin) return problem(notAdmin);
    const noted = await notePolicies(context.env as PolicyEnv, bundle, Date.now(), callerActor(caller));
    return context.json({ revoked: noted + (await revokeOutdated(context.env, bundle)) });
  });

  app.get("/api/audit", async (context) => {
    const { identity, admin } = context.get("caller");
    const filter: Record<string, string | number> = {};
    for (const name of [
      "issuer",
      "subject",
      "type",
      "severity",
      "session",
      "grant",
      "task",
      "resource",
      "reason",
      "after",
      "before",
      "text",
    ]) {
      const value = context.req.query(name);
      if (value !== undefined) filter[name] = value.slice(0, 512);
    }
    for (const name of ["since", "until", "limit"]) {
      const value = numberFrom(context, name);
      if (value !== undefined) filter[name] = value;
    }
    const own = admin ? {} : { issuer: identity.issuer, subject: identity.subject };
    const events = await listEvents(context.env.DB, { ...filter, ...own } as EventFilter);
    const format = context.req.query("format");
    if (format === undefined || format === "json") return context.json({ events });
    if (!EXPORT_FORMATS.includes(format as never)) {
      return problem({
        ...{ status: 400, code: "FORMAT_UNKNOWN", message: "there is no such format" },
        hint: `The formats are json, ${EXPORT_FORMATS.join(", ")}.`,
      });
    }
    const lines = events.map((event) =>
      JSON.stringify(exportEvent(event, format as never, context.env.EDGE_ORIGIN)),
    );
    return context.text(lines.map((line) => `${line}\n`).join(""), 200, {
      "content-type": "application/x-ndjson",
    });
  });

  return app;
}

function answer(result: GrantResult, origin: string): Response {
  return result.ok ? Response.json(requestJson(result.grant, origin)) : problem(result);
}

const notSeen = {
  ...{ status: 409, code: "APPROVAL_MISMATCH", message: "the statement is not the one that was shown" },
  hint: "Look at it again.",
};
const unknownRequest = {
  ...{
    status: 404,
    code: "GRANT_UNKNOWN",
    message: "there is no such grant or request, or it is not yours to see",
  },
  hint: "`wicket requests` lists them.",
};
const notAdmin = {
  ...{ status: 403, code: "NOT_ENTITLED", message: "only administrators may do this", hint: "" },
};

/** A request as the API answers it. Times in ms since the epoch, durations in seconds. */
export function requestJson(grant: Grant, origin: string): Record<string, unknown> {
  const { id, status, kind, task, taskDigest, resource, params, reason, description, approvals, ended } =
    grant;
  const { issuer, subject, name } = grant.requester;
  return {
    ...{ id, status, kind, task, task_digest: taskDigest, resource, params, reason, description },
    duration: grant.durationMs / 1000,
    requester: { issuer, subject, name },
    ...(grant.actor ? { actor: grant.actor } : {}),
    ...{ asked: grant.asked, decided: grant.decided, expires: grant.expires },
    needed: grant.approval?.count ?? 0,
    approvers: grant.approval?.groups ?? [],
    ...{ approvals, ended, budget: grant.budget, spent: grant.spent },
    ...(grant.emergency ? { emergency: grant.emergency, review: grant.review } : {}),
    ...(grant.statement
      ? { statement: { ...grant.statement, warnings: visible(grant.statement.text).warnings } }
      : {}),
    ...(grant.parent === null ? {} : { grant: grant.parent }),
    url: `${origin}/requests/${id}`,
  };
}

function rowJson(row: GrantRow, origin: string): Record<string, unknown> {
  return {
    ...{ id: row.id, status: row.status, kind: row.kind, task: row.task, task_digest: row.task_digest },
    ...{ resource: row.resource, params: row.params, reason: row.reason, duration: row.duration_ms / 1000 },
    requester: { issuer: row.issuer, subject: row.subject, name: row.name },
    ...{ asked: row.asked, decided: row.decided, expires: row.expires, needed: row.needed },
    ...{ approvers: row.approver_groups, approvals: row.approvals, ended_reason: row.ended_reason },
    ...(row.emergency ? { emergency: row.emergency } : {}),
    url: `${origin}/requests/${row.id}`,
  };
}
