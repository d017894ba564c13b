/** The check of a bucket's locks, against a server that answers as Cloudflare documents its API. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkLocks, type LockRule } from "./locks.ts";
import { checkLocksCommand, type LockOptions } from "./locks-command.ts";

const DAY = 86_400;
const ACCOUNT = "023e105f4ecef8ad9ca31a8372d0c353";
const age = (id: string, prefix: string, days: number, enabled = true): LockRule => ({
  ...{ id, prefix, enabled, condition: { type: "Age", maxAgeSeconds: days * DAY } },
});
const wanted = [
  { prefix: "recordings/", days: 365 },
  { prefix: "log/", days: 3650 },
];
const now = Date.parse("2026-11-24T00:00:00Z");
const locked = (rules: LockRule[]) => checkLocks(rules, wanted, now).map((one) => one.locked);

describe("rules", () => {
  test("both prefixes for long enough, by a rule of their own, of the whole bucket, or for ever", () => {
    expect(locked([age("r", "recordings/", 365), age("l", "log/", 3650)])).toEqual([true, true]);
    expect(locked([age("all", "", 4000)])).toEqual([true, true]);
    expect(locked([{ id: "x", prefix: "", enabled: true, condition: { type: "Indefinite" } }])).toEqual([
      true,
      true,
    ]);
    const date = (text: string): LockRule => ({
      ...{ id: "d", prefix: "recordings/", enabled: true, condition: { type: "Date", date: text } },
    });
    expect(locked([date("2028-01-01T00:00:00Z")])).toEqual([true, false]);
    expect(locked([date("2027-01-01T00:00:00Z")])).toEqual([false, false]);
    expect(locked([date("soon")])).toEqual([false, false]);
  });

  test("none, a shorter one, one that is off, or one of a part is not enough, and is named", () => {
    expect(locked([])).toEqual([false, false]);
    const [recordings, log] = checkLocks(
      [age("short", "recordings/", 30), age("off", "log/", 4000, false), age("part", "recordings/s1/", 4000)],
      wanted,
      now,
    );
    expect(recordings).toMatchObject({ locked: false });
    expect(recordings!.detail).toContain("rule short keeps for 30 days");
    expect(recordings!.detail).toContain("rule part keeps for 4000 days for recordings/s1/ only");
    expect(log!.detail).toContain("switched off");
    expect(locked([age("other", "recording", 4000)])).toEqual([true, false]);
    expect(locked([age("other", "recordings-old/", 4000)])).toEqual([false, false]);
  });
});

describe("the command", () => {
  let server: Server;
  let base: string;
  let asked: IncomingMessage | null;
  let answer: { status: number; body: string };
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked = request;
      response.writeHead(answer.status, { "content-type": "application/json" }).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`;
  });
  afterAll(() => void server.close());
  beforeEach(() => {
    asked = null;
  });
  const rules = (list: unknown[]) => ({
    ...{
      status: 200,
      body: JSON.stringify({ success: true, errors: [], messages: [], result: { rules: list } }),
    },
  });
  const run = async (more: Partial<LockOptions> = {}, token = "secret") => {
    const lines: string[] = [];
    const options: LockOptions = {
      ...{ account: ACCOUNT, bucket: "wicketgate-recordings", recordingsDays: "365", logDays: "3650" },
      ...{ api: base, json: false, ...more },
    };
    const all = await checkLocksCommand(options, (line) => lines.push(line), token);
    return { all, text: lines.join("\n") };
  };

  test("asks for the bucket with the token, and says that all is locked", async () => {
    answer = rules([age("keep", "", 4000)]);
    expect(await run({ jurisdiction: "eu" })).toMatchObject({
      all: true,
      text: expect.stringContaining("LOCKED"),
    });
    expect(asked!.url).toBe(`/client/v4/accounts/${ACCOUNT}/r2/buckets/wicketgate-recordings/lock`);
    expect(asked!.headers).toMatchObject({ authorization: "Bearer secret", "cf-r2-jurisdiction": "eu" });
  });

  test("says what is not locked, and the command that locks it", async () => {
    answer = rules([age("keep", "recordings/", 365)]);
    const { all, text } = await run();
    expect(all).toBe(false);
    expect(text).toMatch(/NOT LOCKED +log\//);
    expect(text).toContain(
      "wrangler r2 bucket lock add wicketgate-recordings keep-log log/ --retention-days 3650",
    );
    answer = { status: 200, body: JSON.stringify({ success: true, result: {} }) };
    expect((await run()).all).toBe(false);
  });

  test("an answer that is not understood, a refusal and no answer are errors, never `locked`", async () => {
    answer = rules([{ id: "new", enabled: true, condition: { type: "Sometimes" } }]);
    await expect(run()).rejects.toThrow("another form");
    answer = { status: 200, body: "<html>" };
    await expect(run()).rejects.toThrow("another form");
    answer = {
      ...{
        status: 403,
        body: JSON.stringify({ success: false, errors: [{ code: 10000, message: "Authentication error" }] }),
      },
    };
    await expect(run()).rejects.toThrow("403: Authentication error (10000)");
    await expect(run({ api: "https://127.0.0.1:1/client/v4" })).rejects.toThrow("does not answer");
    await expect(run({ api: "http://example.com" })).rejects.toThrow("https");
    await expect(run({}, "")).rejects.toThrow("CLOUDFLARE_API_TOKEN");
    await expect(run({ logDays: "0" })).rejects.toThrow("days");
    asked = null;
    await expect(run({ account: "acme" })).rejects.toThrow("32 hexadecimal digits");
    await expect(run({ bucket: "../zones" })).rejects.toThrow("a bucket's name");
    expect(asked).toBeNull();
  });

  test.each<[string, number, number, string, RegExp]>([
    [
      "a token of no form",
      400,
      6003,
      "Invalid request headers",
      /Invalid request headers \(6003\): the token/,
    ],
    [
      "a token that is not one",
      401,
      1000,
      "Invalid API Token",
      /401: Invalid API Token .* the token is not valid/,
    ],
    [
      "another account's token",
      403,
      10_000,
      "Authentication error",
      /403: .* of another account, or may not read/,
    ],
    ["an account that is none", 404, 7003, "Could not route to /accounts/…", /7003.* no account's id/],
    [
      ...(["a bucket that is not there", 404, 10_006, "The specified bucket does not exist."] as const),
      /there is no bucket wicketgate-recordings in this account; .*--jurisdiction/,
    ],
    ["R2 that is off", 403, 10_042, "Please enable R2 through the Cloudflare Dashboard.", /not switched on/],
    ["an outage", 503, 10_001, "internal error", /503: internal error \(10001\): ask again later/],
  ])("%s is told with what to do", async (_name, status, code, message, words) => {
    answer = { status, body: JSON.stringify({ success: false, errors: [{ code, message }], result: null }) };
    await expect(run()).rejects.toThrow(words);
  });
});
