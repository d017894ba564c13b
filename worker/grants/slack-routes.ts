/** `POST /slack/actions`: a person pressed a button under a message about a request. */
import { waitUntil } from "cloudflare:workers";
import { Hono } from "hono";
import type { Bundle } from "../../policies/task.ts";
import { recordEvents } from "../audit/record.ts";
import { readBounded } from "../identity/fetch-json.ts";
import type { ApiEnv } from "../identity/http.ts";
import { seenPerson } from "../identity/people.ts";
import type { Grant, GrantResult } from "./grant.ts";
import { grantOwner } from "./open.ts";
import {
  consoleOnly,
  type SlackAction,
  type SlackConfig,
  slackAction,
  slackFrom,
  slackSigned,
} from "./slack.ts";

type SlackEnv = ApiEnv & { readonly SLACK?: unknown };

const MAX_BODY = 64 * 1024;
/** Who was not seen at the edge for so long has to sign in there first: their groups may have changed. */
const SEEN_MS = 24 * 3_600_000;
const TIMEOUT_MS = 5_000;

/** The route, over one policy bundle. Without the secret `SLACK` there is nothing here. */
export function slackRoutes(bundle: Bundle): Hono<{ Bindings: SlackEnv }> {
  const app = new Hono<{ Bindings: SlackEnv }>();
  app.post("/slack/actions", async (context) => {
    const { env } = context;
    const config = slackFrom(env.SLACK);
    if (!config) return context.text("There is nothing here.", 404);
    const body = await readBounded(context.req.raw, MAX_BODY).catch(() => null);
    if (body === null) return context.text("The body is too long.", 413);
    const now = Date.now();
    if (!(await slackSigned(config, context.req.raw.headers, body, now))) {
      const message = "a Slack request without a good signature, or outside of its window";
      const event = {
        type: "auth.refused",
        severity: "warn",
        reason: "SLACK_SIGNATURE",
        data: { message },
      } as const;
      waitUntil(recordEvents(env, [event]).catch(() => undefined));
      return context.text("Not signed.", 401);
    }
    const action = slackAction(config, body);
    if (!action) return context.text("Not understood.", 400);
    // A link button: Slack tells of it, and the browser does the rest.
    if (action.verb === "open") return context.body(null, 200);
    // Slack waits three seconds; the answer to the person goes to the address of the message.
    waitUntil(
      decide(env, bundle, config, action, now)
        .catch(() => ({ text: "It could not be decided now. Open it in the console.", done: false }))
        .then((answer) => reply(action, answer)),
    );
    return context.body(null, 200);
  });
  return app;
}

interface Answer {
  readonly text: string;
  /** True: the message is replaced; false: only the person sees the answer. */
  readonly done: boolean;
}

async function decide(
  env: SlackEnv,
  bundle: Bundle,
  config: SlackConfig,
  action: SlackAction,
  now: number,
): Promise<Answer> {
  const url = `${env.EDGE_ORIGIN}/requests/${action.grant}`;
  const no = (text: string): Answer => ({ text: `${text} ${url}`, done: false });
  const who = Object.hasOwn(config.users, action.user) ? config.users[action.user]! : null;
  if (!who) return no("Your Slack account is not linked to an identity here. Decide in the console:");
  const person = await seenPerson(env.DB, who);
  if (!person || now - person.seen > SEEN_MS) {
    return no("You have not signed in at the console within the last day. Decide there:");
  }
  const owner = grantOwner(env, action.grant);
  const grant = (await owner?.get(action.grant)) as Grant | null | undefined;
  if (!owner || !grant) return no("There is no such request any more.");
  const task = Object.hasOwn(bundle.tasks, grant.task) ? bundle.tasks[grant.task]! : null;
  // The button may be old, or not of this edge: what may be decided here is decided here, again.
  if (
    consoleOnly(config, task, grant.kind) ||
    task?.digest !== grant.taskDigest ||
    action.seen !== grant.taskDigest
  ) {
    return no("This request is decided in the console:");
  }
  const { seen: _, ...by } = person;
  const verb = action.verb === "approve" ? "approve" : "deny";
  const comment = `${verb === "approve" ? "approved" : "denied"} in Slack`;
  const decided = { person: by, via: null };
  const result = (await owner.decide(action.grant, decided, verb, comment)) as GrantResult;
  if (!result.ok) return no(`Not done: ${result.message} (${result.code}).`);
  const { status, approvals, approval } = result.grant;
  const words =
    action.verb === "deny"
      ? "Denied"
      : status === "active"
        ? "Approved"
        : `Approved by ${approvals.length} of ${approval?.count ?? 0}`;
  return { text: `${words} by <@${action.user.split("/")[1]}>: ${url}`, done: status !== "pending" };
}

async function reply(action: SlackAction, { text, done }: Answer): Promise<void> {
  if (!action.responseUrl) return;
  const body = { text, replace_original: done, response_type: done ? "in_channel" : "ephemeral" };
  const response = await fetch(action.responseUrl, {
    ...{ method: "POST", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) },
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }).catch(() => null);
  await response?.body?.cancel();
}
