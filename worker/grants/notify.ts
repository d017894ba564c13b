/**
 * Notifications as Standard Webhooks (github.com/standard-webhooks), signed with the edge's Ed25519 key
 * (`v1a`; receivers make `whpk_` + base64 of `x` from /oauth2/jwks). They say that something happened and
 * where to look, never a parameter or a reason; messages to Slack (slack.ts) are the exception. Each is kept in its object's storage until it was taken.
 */
import { base64url } from "jose";
import * as v from "valibot";
import type { AuditEvent } from "../audit/events.ts";
import { findTask } from "../bundle.ts";
import { edgeKeys } from "../identity/edge-token.ts";
import { mayFetch } from "../identity/issuers.ts";
import { slackFrom, slackMessage } from "./slack.ts";

const endpointsSchema = v.array(v.strictObject({ url: v.string() }));

/** Seconds until the next try; after the last one the notification is given up, with an event. */
const BACKOFF = [5, 30, 120, 600, 1800, 7200];
const TIMEOUT_MS = 5_000;
const NOTIFIED: readonly AuditEvent["type"][] = [
  "grant.requested",
  "grant.emergency",
  "grant.reviewed",
  "grant.approved",
  "grant.denied",
  "grant.active",
  "grant.expired",
  "grant.revoked",
];

export interface NotifyEnv {
  /** JSON array of `{ url }`; absent = nobody is notified. */
  readonly WEBHOOKS?: unknown;
  /** JSON, see slack.ts; absent = no messages. */
  readonly SLACK?: unknown;
  readonly SIGNING_KEY: unknown;
  readonly EDGE_ORIGIN: string;
}

export interface Delivery {
  readonly id: string;
  readonly url: string;
  readonly body: string;
  readonly tries: number;
}

/** What has to be sent for an event: one delivery for each configured endpoint. */
export function deliveriesFor(env: NotifyEnv, event: AuditEvent): Delivery[] {
  const deliveries: Delivery[] = [];
  const slack = slackFrom(env.SLACK);
  const message = slack && slackMessage(slack, event, findTask(event.task ?? ""), env.EDGE_ORIGIN);
  if (message)
    deliveries.push({ id: event.id, url: slack.webhookUrl, body: JSON.stringify(message), tries: 0 });
  if (!NOTIFIED.includes(event.type) || env.WEBHOOKS === undefined) return deliveries;
  const body = JSON.stringify({
    type: `wicketgate.${event.type}`,
    timestamp: new Date(event.time).toISOString(),
    data: {
      request: event.grant,
      task: event.task,
      resource: event.resource,
      ...(event.reason ? { code: event.reason } : {}),
      actor: event.actor && { issuer: event.actor.issuer, subject: event.actor.subject },
      url: `${env.EDGE_ORIGIN}/requests/${event.grant}`,
    },
  });
  deliveries.push(...webhookUrls(env.WEBHOOKS).map((url) => ({ id: event.id, url, body, tries: 0 })));
  return deliveries;
}

/** The endpoints that may be called: https to public names (http on loopback, for local development). */
function webhookUrls(value: unknown): string[] {
  try {
    const parsed = v.safeParse(endpointsSchema, typeof value === "string" ? JSON.parse(value) : value);
    return parsed.success ? parsed.output.map(({ url }) => url).filter((url) => mayFetch(url, url)) : [];
  } catch {
    return [];
  }
}

/** Sends one delivery; null when it was taken, else why not. Never throws. */
export async function deliver(env: NotifyEnv, delivery: Delivery, now: number): Promise<string | null> {
  try {
    const timestamp = String(Math.floor(now / 1000));
    const { sign } = await edgeKeys(env.SIGNING_KEY);
    const signed = new TextEncoder().encode(`${delivery.id}.${timestamp}.${delivery.body}`);
    const signature = new Uint8Array(await crypto.subtle.sign("Ed25519", sign, signed));
    const response = await fetch(delivery.url, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        "content-type": "application/json",
        "webhook-id": delivery.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": `v1a,${toBase64(signature)}`,
      },
      body: delivery.body,
    });
    await response.body?.cancel();
    return response.ok ? null : `answered ${response.status}`;
  } catch (cause) {
    return cause instanceof Error ? cause.message : "failed";
  }
}

/** For the delivery log: what was taken, where, about what, at which try. Of an endpoint only its host is told. */
export interface Sent {
  readonly endpoint: string;
  readonly event: string;
  readonly grant: string;
  readonly tries: number;
}

export interface GivenUp {
  readonly endpoint: string;
  readonly grant: string;
  readonly message: string;
}

function aboutOf(delivery: Delivery): Omit<Sent, "tries"> {
  const endpoint = new URL(delivery.url).host;
  const body = JSON.parse(delivery.body) as WebhookBody | SlackBody;
  if ("blocks" in body) {
    const grant = body.blocks[0]?.block_id.replace(/^wicket /, "") ?? "";
    return { endpoint, event: "grant.requested", grant };
  }
  return { endpoint, event: body.type.replace(/^wicketgate\./, ""), grant: body.data.request ?? "" };
}

interface WebhookBody {
  readonly type: string;
  readonly data: { readonly request?: string };
}

interface SlackBody {
  readonly blocks: readonly { readonly block_id: string }[];
}

/** The notifications of one object that are not taken yet. */
export class Notifications {
  readonly #sql: SqlStorage;
  readonly #env: NotifyEnv;

  constructor(sql: SqlStorage, env: NotifyEnv) {
    this.#sql = sql;
    this.#env = env;
    sql.exec(`CREATE TABLE IF NOT EXISTS deliveries (id TEXT NOT NULL, url TEXT NOT NULL, body TEXT NOT NULL,
      tries INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY (id, url)) STRICT`);
  }

  /** Keeps what has to be sent for the event. Synchronous, in the transaction of the change it tells of. */
  add(event: AuditEvent): void {
    for (const { id, url, body } of deliveriesFor(this.#env, event)) {
      this.#sql.exec(
        "INSERT INTO deliveries (id, url, body, tries, due) VALUES (?, ?, ?, 0, 0) ON CONFLICT DO NOTHING",
        ...[id, url, body],
      );
    }
  }

  /** Sends what is due; each is noted as tried before, so that a crash does not send it without end. */
  async send(now: number): Promise<{ tried: number; sent: Sent[]; givenUp: GivenUp[] }> {
    const due = this.#sql
      .exec<{ id: string; url: string; body: string; tries: number }>(
        "SELECT id, url, body, tries FROM deliveries WHERE due <= ? LIMIT 20",
        now,
      )
      .toArray();
    const setDue = (one: Delivery, at: number): void => {
      const values = [one.tries + 1, at, one.id, one.url] as const;
      this.#sql.exec("UPDATE deliveries SET tries = ?, due = ? WHERE id = ? AND url = ?", ...values);
    };
    for (const one of due) setDue(one, now + 2 * TIMEOUT_MS + (retryAfter(one.tries + 1) ?? 0));
    const sent: Sent[] = [];
    const givenUp: GivenUp[] = [];
    const sendOne = async (one: Delivery): Promise<void> => {
      const failure = await deliver(this.#env, one, now);
      const wait = failure === null ? null : retryAfter(one.tries + 1);
      if (wait !== null) return setDue(one, now + wait);
      this.#sql.exec("DELETE FROM deliveries WHERE id = ? AND url = ?", one.id, one.url);
      const about = aboutOf(one);
      if (failure === null) sent.push({ ...about, tries: one.tries + 1 });
      else givenUp.push({ endpoint: about.endpoint, grant: about.grant, message: failure });
    };
    await Promise.all(due.map(sendOne));
    return { tried: due.length, sent, givenUp };
  }

  /** When the next one is due, ms since the epoch; null when none waits. */
  get nextDue(): number | null {
    return this.#sql.exec<{ due: number | null }>("SELECT min(due) AS due FROM deliveries").one().due;
  }
}

/** Milliseconds until the try after `tries` failed ones; null = give up. */
export function retryAfter(tries: number): number | null {
  const seconds = BACKOFF[tries - 1];
  return seconds === undefined ? null : seconds * 1000;
}

function toBase64(bytes: Uint8Array): string {
  return base64url
    .encode(bytes)
    .replace(/-/g, "+")
    .replace(/_/g, "/")
    .padEnd(Math.ceil(bytes.length / 3) * 4, "=");
}
