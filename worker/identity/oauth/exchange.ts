/**
 * Token exchange (RFC 8693) with `authorization_details` of type `task` (RFC 9396): an identity token and a
 * described task become a token for one grant on one resource, or an answer that someone must approve first.
 */
import * as v from "valibot";
import { mayStart } from "../../../policies/decide.ts";
import type { Bundle, Identity, Json } from "../../../policies/task.ts";
import { actorFrom } from "../../audit/events.ts";
import { recordEvents } from "../../audit/record.ts";
import { askForGrant, grantOf } from "../../grants/ask.ts";
import { type Grant, notOpen } from "../../grants/grant.ts";
import { authenticateToken } from "../authenticate.ts";
import { issueToken } from "../edge-token.ts";
import type { ApiEnv } from "../http.ts";
import { slim } from "../logins.ts";
import { standingOf } from "../people.ts";
import { hashOf, newSecret } from "../secrets.ts";
import { oauthAnswer, oauthError } from "./answers.ts";
import { ACCESS_TOKEN_TYPE, SUBJECT_TOKEN_TYPES } from "./metadata.ts";

const text = (max: number) => v.pipe(v.string(), v.maxLength(max));
const taskDetail = v.strictObject({
  type: v.literal("task"),
  task: text(128),
  params: v.optional(
    v.record(
      text(128),
      v.pipe(
        v.union([text(10_000), v.number(), v.boolean()]),
        v.transform((value) => String(value)),
      ),
    ),
    {},
  ),
  reason: v.optional(text(2000)),
  description: v.optional(text(4000)),
  /** Seconds. */
  lifetime: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  sessions: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
});
const details = v.pipe(v.array(taskDetail), v.length(1, "exactly one task"));

const POLL_SECONDS = 5;

/** `grant_type=…token-exchange`. */
export async function exchange(
  env: ApiEnv,
  bundle: Bundle,
  form: URLSearchParams,
  client: string,
  now: number,
): Promise<Response> {
  const requested = form.get("requested_token_type");
  if (requested !== null && requested !== ACCESS_TOKEN_TYPE) {
    return oauthError("invalid_request", "only access tokens are issued");
  }
  const subject = await tokenOf(env, form, "subject", now);
  if (!subject) return oauthError("invalid_request", "subject_token and subject_token_type are needed");
  if (!subject.ok) return oauthError("invalid_grant", subject.message, { code: subject.code });
  const actor = await tokenOf(env, form, "actor", now);
  if (actor && !actor.ok) return oauthError("invalid_grant", `actor: ${actor.message}`, { code: actor.code });

  const parsed = parseDetails(form.get("authorization_details"));
  if (!parsed.ok) return oauthError("invalid_authorization_details", parsed.message);
  const [detail] = parsed.details;
  const task = Object.hasOwn(bundle.tasks, detail.task) ? bundle.tasks[detail.task] : undefined;
  if (!task)
    return oauthError("invalid_authorization_details", "there is no such task", { code: "TASK_UNKNOWN" });
  const audience = `${env.EDGE_ORIGIN}/db/${task.resource}`;
  const targets = [...form.getAll("resource"), ...form.getAll("audience")];
  if (targets.some((target) => target !== audience)) {
    return oauthError("invalid_target", `the task ${task.name} is for ${audience}`);
  }

  const result = await askForGrant(
    env,
    bundle,
    {
      identity: subject.identity,
      actor: actor?.identity ?? null,
      task: detail.task,
      params: detail.params,
      reason: detail.reason ?? null,
      description: detail.description ?? null,
      durationMs: detail.lifetime === undefined ? null : detail.lifetime * 1000,
      sessions: detail.sessions ?? null,
    },
    now,
    true,
  );
  if (!result.ok) {
    const { code, message, hint, rule } = result;
    const word =
      code.startsWith("PARAM_") || code.startsWith("DURATION")
        ? "invalid_authorization_details"
        : "access_denied";
    return oauthError(result.status === 503 ? "temporarily_unavailable" : word, message, {
      code,
      hint,
      ...(rule ? { rule } : {}),
    });
  }
  const { grant } = result;
  if (grant.status === "active") {
    return tokenAnswer(env, subject.identity, actor?.identity ?? null, grant, client);
  }
  if (grant.status !== "pending") {
    const refusal = notOpen(grant);
    return oauthError("access_denied", refusal.message, { code: refusal.code });
  }
  const url = `${env.EDGE_ORIGIN}/requests/${grant.id}`;
  if (form.get("completion_mode") !== "deferred") {
    const extra = { error_uri: url, code: "APPROVAL_PENDING", request: grant.id };
    return oauthError("interaction_required", `request ${grant.id} waits for approval`, extra);
  }
  return defer(env, subject.identity, actor?.identity ?? null, grant, client, url, now);
}

type ParsedDetails =
  | { ok: true; details: [v.InferOutput<typeof taskDetail>] }
  | { ok: false; message: string };

function parseDetails(given: string | null): ParsedDetails {
  if (given === null) return { ok: false, message: "authorization_details is needed" };
  let json: unknown;
  try {
    json = JSON.parse(given);
  } catch {
    return { ok: false, message: "authorization_details is not JSON" };
  }
  const parsed = v.safeParse(details, json);
  if (parsed.success) return { ok: true, details: parsed.output as [v.InferOutput<typeof taskDetail>] };
  const issue = parsed.issues[0];
  return { ok: false, message: `${v.getDotPath(issue) ?? "authorization_details"}: ${issue.message}` };
}

type TokenOf = { ok: true; identity: Identity } | { ok: false; code: string; message: string };

async function tokenOf(
  env: ApiEnv,
  form: URLSearchParams,
  which: "subject" | "actor",
  now: number,
): Promise<TokenOf | null> {
  const token = form.get(`${which}_token`);
  const type = form.get(`${which}_token_type`);
  if (token === null && type === null) return null;
  if (token === null || token === "" || !SUBJECT_TOKEN_TYPES.includes(type ?? "")) {
    return { ok: false, code: "TOKEN_TYPE", message: "the token or its type is missing or not supported" };
  }
  const who = await authenticateToken(token, env, now, [env.EDGE_ORIGIN]);
  if (!who.ok) return who;
  // A token for one grant, or one that acts for somebody, is not a login: nothing grows out of it.
  if (who.credential.grant !== undefined || who.credential.actor) {
    return { ok: false, code: "TOKEN_GRANT", message: "a token for a grant cannot be exchanged again" };
  }
  return { ok: true, identity: who.identity };
}

async function tokenAnswer(
  env: ApiEnv,
  identity: Identity,
  actor: Identity | null,
  grant: Grant,
  client: string,
): Promise<Response> {
  // The grant may be much younger than the request: what is left of it counts from here.
  const now = Date.now();
  const audience = `${env.EDGE_ORIGIN}/db/${grant.resource}`;
  const granted: Json = {
    type: "task",
    task: grant.task,
    params: { ...grant.params },
    ...(grant.reason === null ? {} : { reason: grant.reason }),
    ...(grant.description === null ? {} : { description: grant.description }),
    lifetime: Math.floor(grant.durationMs / 1000),
    ...(grant.budget.sessions === null ? {} : { sessions: grant.budget.sessions }),
    task_digest: grant.taskDigest,
    expires_at: Math.floor(grant.expires / 1000),
  };
  const contents = {
    ...{ identity, audience, clientId: client, grant: grant.id, authorizationDetails: [granted] },
    ...(actor ? { actor } : {}),
  };
  const issued = await issueToken(env, contents, now, grant.expires);
  await recordEvents(env, [
    {
      ...{
        type: "token.issued",
        severity: "info",
        actor: actorFrom(identity, actor ?? undefined),
        grant: grant.id,
      },
      ...{ task: grant.task, taskDigest: grant.taskDigest, resource: grant.resource },
      data: { jti: issued.jti, audience, expires: issued.expires },
    },
  ]);
  return oauthAnswer({
    access_token: issued.token,
    issued_token_type: ACCESS_TOKEN_TYPE,
    token_type: "Bearer",
    expires_in: Math.max(0, Math.floor((issued.expires - now) / 1000)),
    authorization_details: [granted],
    grant: grant.id,
  });
}

async function defer(
  env: ApiEnv,
  identity: Identity,
  actor: Identity | null,
  grant: Grant,
  client: string,
  url: string,
  now: number,
): Promise<Response> {
  const code = newSecret();
  const kept = (one: Identity): string => JSON.stringify(slim(one, one.expires));
  await env.DB.batch([
    env.DB.prepare("DELETE FROM deferrals WHERE expires < ?").bind(now - 3_600_000),
    env.DB.prepare(
      `INSERT INTO deferrals (code_hash, grant_id, client, identity, actor, polled, interval_s, expires)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ).bind(
      await hashOf(code),
      grant.id,
      client,
      kept(identity),
      actor ? kept(actor) : null,
      0,
      POLL_SECONDS,
      grant.expires,
    ),
  ]);
  return oauthError("authorization_pending", `request ${grant.id} waits for approval`, {
    deferral_code: code,
    interval: POLL_SECONDS,
    expires_in: Math.max(1, Math.floor((grant.expires - now) / 1000)),
    interaction_uri: url,
    request: grant.id,
  });
}

interface DeferralRow {
  grant_id: string;
  client: string;
  identity: string;
  actor: string | null;
  polled: number;
  interval_s: number;
  expires: number;
}

/** `grant_type=…deferred`: the poll for a grant that waited (draft-ietf-oauth-deferred-token-response). */
export async function redeemDeferral(
  env: ApiEnv,
  bundle: Bundle,
  form: URLSearchParams,
  client: string,
  now: number,
): Promise<Response> {
  const code = form.get("deferral_code");
  if (!code) return oauthError("invalid_request", "deferral_code is needed");
  const hash = await hashOf(code);
  const row = await env.DB.prepare("SELECT * FROM deferrals WHERE code_hash = ? AND client = ?")
    .bind(hash, client)
    .first<DeferralRow>();
  if (!row) return oauthError("invalid_grant", "the deferral code is unknown, used, or another client's");
  const grant = await grantOf(env, row.grant_id);
  if (!grant) return oauthError("invalid_grant", "the request is gone");
  if (grant.status === "pending") {
    const early = row.polled > 0 && now - row.polled < row.interval_s * 1000 - 500;
    const interval = row.interval_s + (early ? 5 : 0);
    await env.DB.prepare("UPDATE deferrals SET polled = ?, interval_s = ? WHERE code_hash = ?")
      .bind(now, interval, hash)
      .run();
    return oauthError(
      early ? "slow_down" : "authorization_pending",
      `request ${grant.id} waits for approval`,
      {
        interval,
        interaction_uri: `${env.EDGE_ORIGIN}/requests/${grant.id}`,
      },
    );
  }
  const taken = await env.DB.prepare("DELETE FROM deferrals WHERE code_hash = ? RETURNING code_hash")
    .bind(hash)
    .first();
  if (!taken) return oauthError("invalid_grant", "the deferral code was used already");
  if (grant.status === "denied") {
    return oauthError("access_denied", grant.ended?.message ?? "denied", { code: "APPROVAL_DENIED" });
  }
  if (grant.status === "expired")
    return oauthError("expired_token", "nobody decided in time", { code: "GRANT_EXPIRED" });
  if (grant.status !== "active")
    return oauthError("invalid_grant", "the grant has ended", { code: notOpen(grant).code });
  // Policy is asked again: what may be issued is decided now, not when it was asked for.
  const identity = JSON.parse(row.identity) as Identity;
  const actor = row.actor === null ? null : (JSON.parse(row.actor) as Identity);
  const task = Object.hasOwn(bundle.tasks, grant.task) ? bundle.tasks[grant.task] : undefined;
  if (task?.digest !== grant.taskDigest) {
    return oauthError("access_denied", "the task's policy has changed", { code: "GRANT_TASK_CHANGED" });
  }
  for (const who of actor ? [identity, actor] : [identity]) {
    const may = mayStart(task, who, { params: grant.params, reason: grant.reason, now });
    if (!may.ok) return oauthError("access_denied", may.message, { code: may.code, rule: may.rule });
  }
  const standing = await standingOf(env.DB, actor ? [identity, actor] : [identity]);
  if (standing.some((one) => one.disabled)) {
    return oauthError("access_denied", "this identity is disabled", { code: "IDENTITY_DISABLED" });
  }
  return tokenAnswer(env, identity, actor, grant, client);
}
