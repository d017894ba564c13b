/** Approvals as people live them: the command line asks and waits, others decide at theirs or in the browser. */
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { approvalLibrary } from "./support/approval-library.ts";
import { finished, type System, startSystem } from "./support/system.ts";

const policies = approvalLibrary();
let system: System;

beforeAll(async () => {
  system = await startSystem({ policies });
});

afterAll(async () => {
  expect(await system?.stop()).toBe(0);
  rmSync(policies, { recursive: true, force: true });
});

let reasons = 0;
/** Each test asks under a reason of its own, so that none meets another's grant. */
const newReason = () => `INC-${++reasons}`;
const task = (name: string, reason: string) => ["--param", "customer=7", "--reason", reason, ...taskOf(name)];
const taskOf = (name: string) => ["--task", name];

async function json(args: string[], as = "tina") {
  const run = await system.wicket([...args, "--json"], { as });
  const lines = run.stdout.trim().split("\n");
  return { ...run, lines: lines.filter((line) => line !== "").map((line) => JSON.parse(line)) };
}

async function ask(name: string, reason: string, ...more: string[]) {
  const run = await json(["request", name, "--param", "customer=7", "--reason", reason, ...more]);
  return { ...run, request: run.lines[0] };
}

describe("requests on the command line", () => {
  test("asked, listed, approved, used and revoked, each with an id and a status", async () => {
    const { request, code } = await ask("granted", newReason(), "--for", "10m");
    expect(code).toBe(0);
    expect(request).toMatchObject({
      status: "pending",
      duration: 600,
      url: `${system.edge}/requests/${request.id}`,
    });
    const inbox = (await json(["requests", "--status", "pending"], "lee")).lines[0];
    expect(inbox.requests[0]).toMatchObject({ id: request.id, status: "pending", reason: request.reason });
    expect((await json(["requests", request.id], "omar")).code).toBe(2);
    const own = await json(["approve", request.id]);
    expect(own).toMatchObject({ code: 3, lines: [{ status: "error", code: "SELF_APPROVAL" }] });
    const approved = await json(["approve", request.id, "--reason", "go on"], "lee");
    expect(approved).toMatchObject({ code: 0, lines: [{ id: request.id, status: "active" }] });
    // The clock runs from the approval.
    expect(approved.lines[0].expires - approved.lines[0].decided).toBe(600_000);
    const again = await json(["approve", request.id], "mia");
    expect(again).toMatchObject({ code: 3, lines: [{ code: "NOT_PENDING" }] });
    const revoked = await json(["revoke", request.id, "--reason", "done"]);
    expect(revoked).toMatchObject({ code: 0, lines: [{ id: request.id, status: "revoked" }] });
    const words = await system.wicket(["requests", request.id]);
    expect(words.stdout).toContain("approved by  lee");
    expect((await system.wicket(["requests"])).stdout).toMatch(/REQUEST +ASKED[\s\S]*granted/);
  });

  test("--wait ends with 0, 3 or 5: approved, denied, nobody decided", async () => {
    const run = async (name: string, decide: ((id: string) => Promise<unknown>) | null) => {
      const args = ["request", name, "--param", "customer=7", "--reason", newReason(), "--wait", "--json"];
      const child = system.spawn(args);
      const done = finished(child);
      const first = await new Promise<{ id: string }>((resolve) =>
        createInterface({ input: child.stdout! }).once("line", (line) => resolve(JSON.parse(line))),
      );
      await decide?.(first.id);
      const { code, stdout } = await done;
      const last = JSON.parse(stdout.trim().split("\n").at(-1)!);
      expect(last).toMatchObject({ id: first.id });
      return [code, last.status];
    };
    expect(await run("granted", (id) => json(["approve", id], "lee"))).toEqual([0, "active"]);
    expect(await run("granted", (id) => json(["deny", id, "--reason", "no"], "lee"))).toEqual([3, "denied"]);
    expect(await run("granted", (id) => json(["revoke", id]))).toEqual([3, "revoked"]);
    expect(await run("hasty", null)).toEqual([5, "expired"]);
  });

  test("what cannot be asked is refused with the rule: who, how long, which task", async () => {
    const long = await ask("granted", newReason(), "--for", "31m");
    expect(long).toMatchObject({ code: 2, request: { code: "DURATION_TOO_LONG" } });
    const foreign = await json(["request", "granted", "--param", "customer=7", "--reason", "INC-1"], "omar");
    expect(foreign).toMatchObject({ code: 3, lines: [{ code: "NOT_A_MEMBER" }] });
    expect((await json(["request", "nothing"])).code).toBe(2);
    expect((await system.wicket(["deny", "x"])).code).toBe(2);
    expect((await json(["approve", "x"], "lee")).code).toBe(2);
    expect((await system.wicket(["requests"], { as: null })).code).toBe(4);
  });
});

describe("connect and proxy", () => {
  /** Runs `wicket … --json` and gives its events as they come. */
  function events(args: string[]) {
    const child = system.spawn(args);
    const lines: Record<string, string>[] = [];
    const done = finished(child);
    createInterface({ input: child.stdout! }).on("line", (line) => {
      lines.push(line.startsWith("{") ? JSON.parse(line) : { status: "output", line });
    });
    const next = (status: string) =>
      system.until(
        async () => lines.find((line) => line["status"] === status),
        `${status} of ${args.join(" ")}`,
      );
    return { child, lines, done, next };
  }

  test("connect asks, waits, says where, and runs the program when it was approved", async () => {
    const run = events([
      ...["connect", "orders-db", ...task("granted", newReason()), "--json", "--", "sh", "-c", "echo ran"],
    ]);
    const waiting = await run.next("waiting_approval");
    expect(waiting["url"]).toBe(`${system.edge}/requests/${waiting["request"]}`);
    expect((await json(["approve", waiting["request"]!], "lee")).code).toBe(0);
    expect((await run.done).code).toBe(0);
    expect(run.lines.map((line) => line["status"])).toEqual([
      "waiting_approval",
      "approved",
      "ready",
      "output",
    ]);
  });

  test("in words: where it waits and what to type, on stderr only", async () => {
    const child = system.spawn(["connect", "orders-db", ...task("granted", newReason()), "--", "true"]);
    let said = "";
    child.stderr!.on("data", (chunk) => {
      said += String(chunk);
    });
    const id = await system.until(async () => /wicket approve (\S+)/.exec(said)?.[1], "the line to type");
    expect(said).toContain("waiting for approval by a member of support-leads");
    const done = finished(child);
    await json(["approve", id], "lee");
    const { code, stdout } = await done;
    expect([code, stdout]).toEqual([0, ""]);
    expect(said).toContain("approved by lee");
  });

  test("a denial is 3 with its reason, no decision in time is 5, --no-wait is 5 at once", async () => {
    const reason = newReason();
    const args = (name: string, why: string) => ["connect", "orders-db", ...task(name, why), "--json"];
    const denied = events([...args("granted", reason), "--", "echo", "ran"]);
    const { request } = await denied.next("waiting_approval");
    await json(["deny", request!, "--reason", "not today"], "lee");
    expect((await denied.done).code).toBe(3);
    expect(denied.lines.at(-1)).toMatchObject({ status: "error", code: "APPROVAL_DENIED" });
    expect(denied.lines.at(-1)!["message"]).toContain("not today");
    const late = events([...args("hasty", newReason()), "--", "echo", "ran"]);
    expect((await late.done).code).toBe(5);
    expect(late.lines.at(-1)).toMatchObject({ status: "error", code: "GRANT_EXPIRED" });
    const why = newReason();
    const now = await json(["connect", "orders-db", ...task("granted", why), "--no-wait", "--", "echo"]);
    // `--json` behind the program's name is the program's own.
    expect(now.code).toBe(5);
    const open = (await json(["requests", "--mine", "--status", "pending"])).lines[0].requests;
    expect(open[0]).toMatchObject({ reason: why });
  });

  test("proxy waits before it is ready; SIGTERM while it waits is not a failure", async () => {
    const run = events(["proxy", "orders-db", ...task("granted", newReason()), "--port", "0", "--json"]);
    const { request } = await run.next("waiting_approval");
    await json(["approve", request!], "lee");
    const ready = await run.next("ready");
    expect(ready["url"]).toMatch(/^postgres:/);
    run.child.kill("SIGTERM");
    expect((await run.done).code).toBe(0);
    const other = events(["proxy", "orders-db", ...task("granted", newReason()), "--port", "0", "--json"]);
    await other.next("waiting_approval");
    other.child.kill("SIGTERM");
    expect((await other.done).code).toBe(0);
  });
});

test("A11 --emergency: no wait, an alarm, a quota, and a review by others", async () => {
  const connect = (reason: string, ...more: string[]) =>
    json(["connect", "orders-db", ...task("glass", reason), ...more, "--", "sh", "-c", "true"]);
  const refused = await system.wicket([
    ...["connect", "orders-db", ...task("granted", newReason()), "--emergency", "--", "true"],
  ]);
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("EMERGENCY_NOT_ALLOWED") });
  const reason = newReason();
  expect((await connect(reason, "--emergency")).code).toBe(0);
  // The grant is there now: it is used again, and nothing is counted.
  expect((await connect(reason, "--emergency")).code).toBe(0);
  const [grant] = (await json(["requests", "--mine"])).lines[0].requests;
  expect(grant).toMatchObject({ task: "glass", status: "active", emergency: "open", approvals: [] });
  const alarm = (await system.api("operator", "/api/audit?type=grant.emergency")).body.events[0];
  expect(alarm).toMatchObject({ severity: "alarm", grant: grant.id, actor: { subject: "tina" } });
  expect((await json(["review", grant.id, "--reason", "mine"])).lines[0].code).toBe("SELF_APPROVAL");
  const reviewed = await json(["review", grant.id, "--reason", "was needed"], "mia");
  expect(reviewed).toMatchObject({ code: 0, lines: [{ id: grant.id, status: "active" }] });
  expect((await system.wicket(["requests", grant.id])).stdout).toContain("reviewed by mia: was needed");
  expect((await connect(newReason(), "--emergency")).code).toBe(0);
  const third = await system.wicket([
    ...["connect", "orders-db", ...task("glass", newReason()), "--emergency", "--", "true"],
  ]);
  expect(third).toMatchObject({ code: 3, stderr: expect.stringContaining("EMERGENCY_QUOTA") });
});
