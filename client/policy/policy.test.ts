/** The policy commands on the demo library and on broken ones. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { prepareParser } from "../../scripts/prepare-parser.ts";
import { policyCommand } from "./commands.ts";

const root = join(import.meta.dirname, "..", "..");
let folder: string;

beforeAll(() => {
  prepareParser();
  folder = mkdtempSync(join(tmpdir(), "wicket-policy-"));
  cpSync(join(root, "policies", "library"), folder, { recursive: true });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function wicket(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const command = policyCommand({ out: (text) => out.push(text), err: (text) => err.push(text) });
  const before = process.exitCode;
  process.exitCode = 0;
  await command.parseAsync(args, { from: "user" });
  const code = Number(process.exitCode);
  process.exitCode = before;
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const refund = ["--task", "refund-investigation", "--as", "tina"];

async function explain(sql: string, ...more: string[]) {
  const { code, out, err } = await wicket("explain", ...refund, "--sql", sql, "--json", ...more);
  return { code, err, ...JSON.parse(out) };
}

test("check is content with the demo library", async () => {
  expect(await wicket("check", "--strict")).toMatchObject({
    code: 0,
    out: "",
    err: expect.stringContaining("4 tasks"),
  });
  const json = JSON.parse((await wicket("check", "--json")).out);
  expect(json).toMatchObject({ ok: true, problems: [], digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test("the tests of the demo library pass and use every allow line", async () => {
  const { code, out } = await wicket("test", "--coverage");
  expect(out).toMatch(/^\d+ passed, 0 failed$/);
  expect(code).toBe(0);
});

test("explain prints the object of the contract", async () => {
  const allowed = await explain("select email from customers");
  expect(allowed).toMatchObject({
    code: 0,
    err: "",
    decision: "allow",
    reason: "ALLOWED",
    relations: ["public.customers"],
    task: "refund-investigation",
    as: "tina",
    nearest: null,
  });
  expect(allowed.masked).toContain("public.customers.email");
  expect(allowed.rewritten).toContain("***@");
  expect(allowed.rewritten).toContain("wicket.p_customer");
  const denied = await explain("select token from secrets");
  expect(denied).toMatchObject({ code: 0, decision: "deny", rewritten: null, relations: [], masked: [] });
  expect(denied.reason).toMatch(/^[A-Z_]+$/);
  expect(denied.message).not.toBe("");
});

test("explain speaks of who, why and for what as far as it is told", async () => {
  expect(await explain("select 1", "--reason", "because")).toMatchObject({
    decision: "deny",
    reason: "REASON_MISMATCH",
    rule: "tasks/refund-investigation.yaml:7",
  });
  expect(await explain("select 1", "--param", "customer=x")).toMatchObject({ reason: "PARAM_TYPE" });
  expect(await explain("select 1", "--param", "customer=7", "--reason", "INC-7")).toMatchObject({
    decision: "allow",
  });
  const other = await wicket(
    "explain",
    "--task",
    "refund-investigation",
    "--as",
    "omar",
    "--sql",
    "select 1",
    "--json",
  );
  expect(JSON.parse(other.out)).toMatchObject({ decision: "deny", reason: "NOT_A_MEMBER" });
});

test("explain names the nearest task that would allow it", async () => {
  const args = [
    "explain",
    "--task",
    "refund-investigation",
    "--as",
    "lee",
    "--sql",
    "select hired from employees",
  ];
  expect(JSON.parse((await wicket(...args, "--json")).out)).toMatchObject({
    decision: "deny",
    nearest: "orders-analyst",
  });
  expect((await wicket(...args)).out).toContain("nearest    the task orders-analyst would allow it");
});

test("explain ends with 3 for a denial when asked to, and with 2 for names that do not exist", async () => {
  const args = ["explain", ...refund, "--sql", "select token from secrets"];
  expect((await wicket(...args, "--exit-code")).code).toBe(3);
  expect(await wicket("explain", "--task", "refund", "--as", "tina", "--sql", "select 1")).toMatchObject({
    code: 2,
  });
  const tian = await wicket("explain", "--task", "refund-investigation", "--as", "tian", "--sql", "select 1");
  expect(tian).toMatchObject({ code: 2, err: expect.stringContaining("did you mean `tina`?") });
});

test("without a catalog the columns are guessed, and it says so", async () => {
  rmSync(join(folder, "catalogs"), { recursive: true, force: true });
  const guessed = await explain("select email from customers", "--policies", folder);
  expect(guessed).toMatchObject({
    decision: "allow",
    err: expect.stringContaining("no catalog of orders-db"),
  });
});

test("show says a task in words", async () => {
  expect((await wicket("show", "warehouse-shipping")).out).toContain("change public.orders: status");
  expect(JSON.parse((await wicket("show", "warehouse-shipping", "--json")).out)).toMatchObject({
    name: "warehouse-shipping",
  });
  expect((await wicket("show", "warehouse")).code).toBe(2);
});

test("who-can asks each task's own decider", async () => {
  const who = async (verb: string, target: string) =>
    (
      JSON.parse((await wicket("who-can", verb, target, "--json")).out) as {
        task: string;
        people: string[];
        masked: boolean;
      }[]
    ).map(({ task, people, masked }) => [task, people, masked]);
  expect(await who("select", "public.customers.email")).toEqual([
    ["order-lookup", ["tina", "lee"], true],
    ["orders-analyst", ["lee", "ada"], true],
    ["refund-investigation", ["tina", "lee"], true],
  ]);
  expect(await who("update", "public.orders.status")).toEqual([
    ["refund-investigation", ["tina", "lee"], false],
    ["warehouse-shipping", ["omar"], false],
  ]);
  expect(await who("update", "public.orders.total")).toEqual([]);
  expect(await who("select", "public.secrets.token")).toEqual([]);
  expect((await wicket("who-can", "select", "public.secrets")).out).toBe("nobody");
  expect((await wicket("who-can", "read", "public.secrets")).code).toBe(2);
});

test("check names what the database does not have, and a mask that does not fit", async () => {
  const path = join(folder, "tasks", "warehouse-shipping.yaml");
  const text = readFileSync(path, "utf8");
  const catalog = ["--catalog", join(root, "policies", "library", "catalogs", "orders-db.json")];
  const check = async (from: string, to: string) => {
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
    const result = await wicket("check", "--policies", folder, ...catalog);
    writeFileSync(path, text);
    expect(result.code).toBe(1);
    return result.out;
  };
  expect(await check("public.orders: { columns: [id", "public.ordres: { columns: [id")).toContain(
    "did you mean `public.orders`?",
  );
  expect(await check("[id, customer_id, status", "[id, customer, status")).toContain(
    "has no column customer",
  );
  expect(await check("created_at] }", "created_at], mask: { status: year } }")).toContain("MASK_UNSUITABLE");
  expect(await check("created_at] }", "created_at], rows: stauts = 'x' }")).toContain("BAD_ROWS");
  expect(await check("created_at] }", "created_at], rows: status = }")).toContain("BAD_ROWS");
});
