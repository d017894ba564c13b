/**
 * Whether a bucket's lock rules keep recordings and log from being overwritten and deleted: asked of the Cloudflare API
 * (`GET /accounts/{account_id}/r2/buckets/{bucket_name}/lock`), not of the Worker, which cannot see them.
 */
import * as v from "valibot";

const DAY_S = 86_400;

/** Cloudflare's API, and which bucket. */
export interface LockApi {
  /** `https://api.cloudflare.com/client/v4`. */
  readonly base: string;
  readonly token: string;
  readonly account: string;
  readonly bucket: string;
  /** `eu` or `fedramp`, for a bucket of a jurisdiction. */
  readonly jurisdiction?: string;
}

/** What has to be locked, and for how long. */
export interface Wanted {
  readonly prefix: string;
  readonly days: number;
}

export interface LockCheck extends Wanted {
  readonly locked: boolean;
  /** By which rule, or what is there instead. */
  readonly detail: string;
}

/** The API did not answer, or not with rules. */
export class LockApiError extends Error {
  override readonly name = "LockApiError";
  /** HTTP status; 0 = no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const rule = v.object({
  id: v.string(),
  enabled: v.boolean(),
  /** Absent or empty: all objects. */
  prefix: v.optional(v.string(), ""),
  condition: v.variant("type", [
    v.object({ type: v.literal("Age"), maxAgeSeconds: v.number() }),
    v.object({ type: v.literal("Date"), date: v.string() }),
    v.object({ type: v.literal("Indefinite") }),
  ]),
});
const answer = v.object({
  success: v.literal(true),
  result: v.object({ rules: v.optional(v.array(rule), []) }),
});
const refusal = v.object({ errors: v.array(v.object({ code: v.number(), message: v.string() })) });

export type LockRule = v.InferOutput<typeof rule>;

/** The bucket's lock rules. Throws `LockApiError`. */
export async function readLocks(api: LockApi): Promise<LockRule[]> {
  const [account, bucket] = [encodeURIComponent(api.account), encodeURIComponent(api.bucket)];
  const headers: Record<string, string> = {
    authorization: `Bearer ${api.token}`,
    accept: "application/json",
  };
  if (api.jurisdiction !== undefined) headers["cf-r2-jurisdiction"] = api.jurisdiction;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(`${api.base}/accounts/${account}/r2/buckets/${bucket}/lock`, {
      ...{ headers, redirect: "error", signal: AbortSignal.timeout(20_000) },
    });
    body = await response.json().catch(() => null);
  } catch (error) {
    const { message, cause } = error as Error;
    throw new LockApiError(
      0,
      `the Cloudflare API does not answer: ${(cause as Error | undefined)?.message ?? message}`,
    );
  }
  if (!response.ok) throw refused(response.status, body, api);
  const parsed = v.safeParse(answer, body);
  // A rule of a kind that is not known here might be one that locks nothing.
  if (!parsed.success) throw new LockApiError(response.status, "the Cloudflare API answered in another form");
  return parsed.output.result.rules;
}

/** What a refusal means for whoever asked: Cloudflare's own words, and what to do. */
function refused(status: number, body: unknown, { bucket, jurisdiction }: LockApi): LockApiError {
  const said = v.safeParse(refusal, body);
  const errors = said.success ? said.output.errors : [];
  const what = errors.map((one) => `${one.message} (${one.code})`).join("; ");
  const codes = new Set(errors.map((one) => one.code));
  const where = jurisdiction === undefined ? "; one of a jurisdiction needs --jurisdiction" : "";
  const hint = codes.has(NO_SUCH_BUCKET)
    ? `there is no bucket ${bucket} in this account${where}`
    : codes.has(NO_ROUTE)
      ? "this is no account's id: it stands in the dashboard's address and in `wrangler whoami`"
      : codes.has(R2_OFF)
        ? "R2 is not switched on for this account"
        : status === 401 || status === 403 || codes.has(BAD_HEADERS)
          ? "the token is not valid, is of another account, or may not read R2's configuration"
          : status === 429 || status >= 500
            ? "ask again later"
            : "";
  const words = [`the Cloudflare API answered ${status}`, what, hint].filter((part) => part !== "");
  return new LockApiError(status, words.join(": "));
}

/** Codes of Cloudflare's API. */
const [BAD_HEADERS, NO_ROUTE, NO_SUCH_BUCKET, R2_OFF] = [6003, 7003, 10_006, 10_042];

/** Holds the rules against what is wanted. `now` in ms since the epoch. */
export function checkLocks(rules: readonly LockRule[], wanted: readonly Wanted[], now: number): LockCheck[] {
  return wanted.map(({ prefix, days }) => {
    const covering = rules.filter((one) => prefix.startsWith(one.prefix));
    const good = covering.find((one) => one.enabled && lasts(one, days, now));
    if (good) return { prefix, days, locked: true, detail: `${words(good)} (rule ${good.id})` };
    const partly = rules.filter((one) => one.prefix !== prefix && one.prefix.startsWith(prefix));
    const instead = [...covering, ...partly].map((one) => {
      const off = one.enabled ? "" : ", but switched off";
      const part = one.prefix.length > prefix.length ? ` for ${one.prefix} only` : "";
      return `rule ${one.id} ${words(one)}${part}${off}`;
    });
    return { prefix, days, locked: false, detail: instead.length === 0 ? "no rule" : instead.join("; ") };
  });
}

/** Whether an object that is created now stays locked for so many days. */
function lasts({ condition }: LockRule, days: number, now: number): boolean {
  if (condition.type === "Indefinite") return true;
  if (condition.type === "Age") return condition.maxAgeSeconds >= days * DAY_S;
  const until = Date.parse(condition.date);
  return Number.isFinite(until) && until >= now + days * DAY_S * 1000;
}

function words({ condition }: LockRule): string {
  if (condition.type === "Indefinite") return "keeps for ever";
  if (condition.type === "Date") return `keeps until ${condition.date}`;
  const days = condition.maxAgeSeconds / DAY_S;
  return days >= 1 ? `keeps for ${Math.floor(days)} days` : `keeps for ${condition.maxAgeSeconds} seconds`;
}
