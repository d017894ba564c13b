/**
 * Slack: what a message about a request says, and the proof that an answer comes from Slack. A click proves a
 * session at Slack and no more: who clicked is looked up in the configuration, and what is risky is decided in the
 * console only.
 */
import * as v from "valibot";
import type { Task } from "../../policies/task.ts";
import { durationWords } from "../../policies/units.ts";
import type { AuditEvent } from "../audit/events.ts";
import { visible } from "../console/visible.ts";
import { mayFetch } from "../identity/issuers.ts";

/** How far the clocks of Slack and the edge may differ, and how long an answer is good, seconds. */
export const SLACK_WINDOW_SECONDS = 300;

const slackSchema = v.strictObject({
  /** Of the Slack app: it signs its requests with it. */
  signingSecret: v.pipe(v.string(), v.minLength(16)),
  /** Where messages go: an incoming webhook of the app. */
  webhookUrl: v.pipe(
    v.string(),
    v.check((url) => mayFetch(url, url), "must be https to a public name (http on loopback)"),
  ),
  /** Who is who: `T0123/U0456` (team and user) to an identity. */
  users: v.record(
    v.pipe(v.string(), v.regex(/^[A-Z0-9]+\/[A-Z0-9]+$/)),
    v.strictObject({ issuer: v.string(), subject: v.string() }),
  ),
  /** Tasks that are decided in the console only, besides those that are risky by themselves; `*` = all. */
  consoleOnly: v.optional(v.array(v.string()), []),
});

export type SlackConfig = v.InferOutput<typeof slackSchema>;

/** The secret `SLACK` (JSON); null when it is absent. What is not valid counts as absent, and is told. */
export function slackFrom(value: unknown): SlackConfig | null {
  if (value === undefined || value === null || value === "") return null;
  try {
    const parsed = v.safeParse(slackSchema, typeof value === "string" ? JSON.parse(value) : value);
    if (parsed.success) return parsed.output;
    console.error("SLACK is not valid:", v.getDotPath(parsed.issues[0]), parsed.issues[0].message);
  } catch {
    console.error("SLACK is not JSON");
  }
  return null;
}

/** Whether a request for the task needs the console: it writes, asks for a second factor, or is not known. */
export function consoleOnly(config: SlackConfig, task: Task | null, kind: string): boolean {
  if (!task || kind !== "request" || task.require.mfa) return true;
  if (config.consoleOnly.some((name) => name === "*" || name === task.name)) return true;
  const reading = ["get", "list", "watch"];
  return (
    task.rules.some((rule) => rule.verb !== "select") ||
    task.requestRules.some((rule) =>
      rule.kind === "http"
        ? rule.methods.some((method) => method !== "GET" && method !== "HEAD")
        : rule.verbs.some((verb) => !reading.includes(verb)) ||
          rule.resources.some((one) => one.includes("/")),
    )
  );
}

/** The message about a request that people have to decide; null for every other event. */
export function slackMessage(
  config: SlackConfig,
  event: AuditEvent,
  task: Task | null,
  origin: string,
): object | null {
  if (event.type !== "grant.requested" || event.data.needed === 0 || !event.grant) return null;
  const { data, grant, actor } = event;
  const url = `${origin}/requests/${grant}`;
  const only = consoleOnly(config, task, data.kind) || task?.digest !== event.taskDigest;
  const who = shown(actor?.name ?? actor?.subject ?? "somebody");
  const params = Object.entries(data.params).map(([name, value]) => `${name}=${value}`);
  // Who decides in Slack sees what is asked there; who has to open the console sees it there.
  const facts = only
    ? []
    : [
        `For: ${durationWords(data.durationMs)}`,
        `Parameters: ${shown(params.join(" ") || "none")}`,
        `Reason: ${shown(data.statedReason ?? "none given")}`,
      ];
  const head = `${who} asks for ${shown(event.task ?? "")} on ${shown(event.resource ?? "")}`;
  const button = (action: string, label: string, more: object) => ({
    ...{ type: "button", action_id: action, text: { type: "plain_text", text: label } },
    ...more,
  });
  const value = `${grant} ${event.taskDigest ?? ""}`;
  return {
    text: head,
    blocks: [
      {
        ...{ type: "section", block_id: `wicket ${grant}` },
        text: { type: "mrkdwn", text: [head, ...facts].join("\n") },
      },
      {
        type: "actions",
        elements: [
          ...(only
            ? []
            : [
                button("approve", "Approve", { value, style: "primary" }),
                button("deny", "Deny", { value, style: "danger" }),
              ]),
          button("open", "Open in the console", { url }),
        ],
      },
    ],
  };
}

/** Text of others for Slack's markup: nothing in it is a mention, a link or a style, and nothing hides. */
function shown(text: string): string {
  const plain = visible(text.slice(0, 500), true)
    .parts.map((part) => part.text)
    .join("");
  // A word joiner after each sign keeps it from being markup.
  return plain
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/[*_~`]/g, "$&\u2060");
}

/**
 * True when Slack signed the body: HMAC-SHA256 over `v0:<time>:<body>` with the app's signing secret, not older or
 * newer than the window (api.slack.com/authentication/verifying-requests-from-slack).
 */
export async function slackSigned(
  config: SlackConfig,
  headers: Headers,
  body: string,
  now: number,
): Promise<boolean> {
  const time = headers.get("x-slack-request-timestamp") ?? "";
  const signature = /^v0=([0-9a-f]{64})$/.exec(headers.get("x-slack-signature") ?? "");
  if (!/^\d{1,12}$/.test(time) || !signature) return false;
  if (Math.abs(now / 1000 - Number(time)) > SLACK_WINDOW_SECONDS) return false;
  const encoder = new TextEncoder();
  const secret = encoder.encode(config.signingSecret);
  const key = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, [
    "verify",
  ]);
  const bytes = Uint8Array.from(signature[1]!.match(/../g)!, (pair) => Number.parseInt(pair, 16));
  // `verify` compares in constant time.
  return crypto.subtle.verify("HMAC", key, bytes, encoder.encode(`v0:${time}:${body}`));
}

/** What a person did with a message. */
export interface SlackAction {
  /** `T0123/U0456`. */
  readonly user: string;
  readonly verb: "approve" | "deny" | "open";
  readonly grant: string;
  /** Digest of the task that the message was about. */
  readonly seen: string;
  readonly responseUrl: string | null;
}

const payloadSchema = v.object({
  type: v.literal("block_actions"),
  user: v.object({ id: v.string(), team_id: v.optional(v.string()) }),
  team: v.optional(v.nullable(v.object({ id: v.string() }))),
  response_url: v.optional(v.string()),
  actions: v.pipe(
    v.array(v.object({ action_id: v.string(), value: v.optional(v.string(), "") })),
    v.minLength(1),
  ),
});

/** Reads a signed body; null when it is nothing that the edge's messages can cause. */
export function slackAction(config: SlackConfig, body: string): SlackAction | null {
  let json: unknown;
  try {
    json = JSON.parse(new URLSearchParams(body).get("payload") ?? "");
  } catch {
    return null;
  }
  const parsed = v.safeParse(payloadSchema, json);
  if (!parsed.success) return null;
  const { user, team, actions, response_url } = parsed.output;
  const { action_id: verb, value } = actions[0]!;
  if (verb !== "approve" && verb !== "deny" && verb !== "open") return null;
  const match = /^([0-9a-f]{32}-[1-9]\d{0,8}) ([0-9a-f]{64})$/.exec(value);
  if (verb !== "open" && !match) return null;
  // An answer goes where messages go, and nowhere else that a body may name.
  const own = new URL(config.webhookUrl).origin;
  const responseUrl = response_url && URL.parse(response_url)?.origin === own ? response_url : null;
  const who = `${user.team_id ?? team?.id ?? ""}/${user.id}`;
  return { user: who, verb, grant: match?.[1] ?? "", seen: match?.[2] ?? "", responseUrl };
}
