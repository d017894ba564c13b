/** `wicket recording check-locks`: are recordings and log kept from being overwritten and deleted? */
import { type Command, Option } from "commander";
import { inert } from "./inert.ts";
import { checkLocks, type LockCheck, readLocks } from "./locks.ts";

const API = "https://api.cloudflare.com/client/v4";

export interface LockOptions {
  readonly account?: string;
  readonly bucket: string;
  readonly jurisdiction?: string;
  readonly recordingsDays: string;
  readonly logDays: string;
  readonly api: string;
  readonly json: boolean;
}

/** Adds the options. The token comes from the environment only. */
export function lockOptions(command: Command): Command {
  return command
    .description(
      "Ask Cloudflare whether the bucket's lock rules are on; the token is in CLOUDFLARE_API_TOKEN",
    )
    .addOption(new Option("--account <id>", "the Cloudflare account").env("CLOUDFLARE_ACCOUNT_ID"))
    .option("--bucket <name>", "the bucket", "wicketgate-recordings")
    .addOption(
      new Option("--jurisdiction <name>", "of a bucket in one").choices(["default", "eu", "fedramp"]),
    )
    .option("--recordings-days <n>", "recordings have to stay at least so long", "365")
    .option("--log-days <n>", "the log has to stay at least so long", "3650")
    .addOption(new Option("--api <url>", "another address of the API").default(API).hideHelp())
    .option("--json", "one JSON document on stdout", false);
}

/** True when all is locked. Throws `LockApiError`, and an error of usage for what is missing. */
export async function checkLocksCommand(
  options: LockOptions,
  out: (text: string) => void,
  token = process.env["CLOUDFLARE_API_TOKEN"],
): Promise<boolean> {
  const { account, bucket, jurisdiction } = options;
  if (!account) throw new UsageError("say which account: --account ID or CLOUDFLARE_ACCOUNT_ID");
  // What the API would answer with a form of its own, before it is asked.
  if (!/^[0-9a-f]{32}$/.test(account)) throw new UsageError("an account's id has 32 hexadecimal digits");
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket))
    throw new UsageError("a bucket's name has 3 to 63 lower-case letters, digits and hyphens");
  if (!token)
    throw new UsageError("CLOUDFLARE_API_TOKEN is not set; an R2 token with `Admin Read only` is enough");
  const base = URL.parse(options.api);
  if (!base || (base.protocol !== "https:" && base.hostname !== "127.0.0.1"))
    throw new UsageError("--api is an https URL");
  const wanted = [
    { prefix: "recordings/", days: daysOf(options.recordingsDays) },
    { prefix: "log/", days: daysOf(options.logDays) },
  ];
  const rules = await readLocks({
    ...{ base: options.api.replace(/\/$/, ""), token, account, bucket },
    ...(jurisdiction === undefined ? {} : { jurisdiction }),
  });
  const checks = checkLocks(rules, wanted, Date.now());
  const locked = checks.every((one) => one.locked);
  if (options.json) out(JSON.stringify({ bucket, locked, checks }));
  else for (const line of linesOf(bucket, checks)) out(line);
  return locked;
}

/** Something is missing on the command line. */
export class UsageError extends Error {}

function daysOf(text: string): number {
  const days = Number(text);
  if (!Number.isSafeInteger(days) || days < 1) throw new UsageError(`${text} is no number of days`);
  return days;
}

function linesOf(bucket: string, checks: readonly LockCheck[]): string[] {
  const lines = checks.map(
    ({ prefix, days, locked, detail }) =>
      `${locked ? "LOCKED    " : "NOT LOCKED"}  ${prefix.padEnd(12)} ${inert(detail)}; wanted: ${days} days`,
  );
  for (const { prefix, days, locked } of checks) {
    if (locked) continue;
    const name = `keep-${prefix.slice(0, -1)}`;
    lines.push(`npx wrangler r2 bucket lock add ${bucket} ${name} ${prefix} --retention-days ${days}`);
  }
  return lines;
}
