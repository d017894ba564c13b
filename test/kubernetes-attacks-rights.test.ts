/** What a task for a cluster must never give, tried on the whole system: rights, values, other people's yes. */
import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cluster, count, hidden, newest, startAttackLab, stopAttackLab } from "./support/attack-lab.ts";

beforeAll(startAttackLab);
afterAll(stopAttackLab);

describe("what a task never grants by itself", () => {
  test.runIf(newest)("K9 nobody makes himself more than he is", async () => {
    const home = await cluster.home("tina", "operate");
    const binding = (args: string[]) => home.run(newest!, args);
    const before = count();
    for (const args of [
      ["create", "clusterrolebinding", "x", "--clusterrole=cluster-admin", "--user=wicket:tina"],
      ["create", "token", "default"],
      ["certificate", "approve", "x"],
    ]) {
      expect([args[1], (await binding(args)).code]).not.toEqual([args[1], 0]);
    }
    const writes = cluster.api.seen.slice(before).filter(({ method }) => method !== "GET");
    expect(writes).toEqual([]);
  });
  test.runIf(newest)(
    "K10 can-i answers what the task says, though the cluster would say yes to all",
    async () => {
      const home = await cluster.home("tina", "operate");
      const can = async (...args: string[]) =>
        (await home.run(newest!, ["auth", "can-i", ...args])).stdout.trim().split(/\s/)[0];
      expect(await can("list", "pods")).toBe("yes");
      expect(await can("delete", "pods")).toBe("no");
      expect(await can("get", "pods", "-n", "billing")).toBe("no");
      expect(await can("create", "pods/exec")).toMatch(/yes|no/);
      expect((await cluster.direct.run(newest!, ["auth", "can-i", "delete", "nodes"])).stdout.trim()).toMatch(
        /^yes/,
      );
    },
  );
  test.runIf(newest)("K3 what a task hides stays hidden over every namespace and shape", async () => {
    const home = await cluster.home("tina", "operate");
    for (const args of [
      ["get", "pods", "-A", "-o", "json"],
      ["get", "secrets", "-o", "json"],
      ["get", "deployments", "-o", "yaml"],
    ]) {
      const said = await home.run(newest!, args);
      expect(said.stdout + said.stderr).not.toMatch(hidden);
      expect(said.stdout).not.toContain("ledger");
    }
  });
});

describe("approvals of single requests", () => {
  test.runIf(newest)("A4 a yes is for exactly one request: another body asks again", async () => {
    const { system, api } = cluster;
    const home = await cluster.home("tina", "careful");
    const start = (args: string[]) => {
      const env = { HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] };
      const child = spawn(newest!, args, { env });
      const said = { out: "", err: "" };
      child.stdout.on("data", (chunk) => {
        said.out += String(chunk);
      });
      child.stderr.on("data", (chunk) => {
        said.err += String(chunk);
      });
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      return { said, ended };
    };
    const decided = new Set<string>();
    const pending = (kind: string) =>
      system.until(async () => {
        const { body } = await system.api("lee", "/api/requests?status=pending");
        return (body.requests as { id: string; kind: string }[]).find(
          (one) => (one.kind === "statement") === (kind === "statement") && !decided.has(one.id),
        );
      }, `a ${kind} that waits`);
    const decide = async (kind: string, verb: "approve" | "deny") => {
      const { id } = await pending(kind);
      decided.add(id);
      const done = await system.wicket([verb, id, "--reason", "seen"], { as: "lee" });
      expect([done.code, done.stderr]).toEqual([0, expect.anything()]);
      return id;
    };
    const first = start(["patch", "configmap", "settings", "-p", '{"data":{"mode":"one"}}']);
    await decide("grant", "approve");
    const { id } = await pending("statement");
    const seen = (await system.api("lee", `/api/requests/${id}`)).body.statement.text;
    expect(seen).toMatch(/^PATCH .*configmaps\/settings[\s\S]*"mode":"one"/);
    expect(api.seen.some(({ method }) => method === "PATCH")).toBe(false);
    await decide("statement", "approve");
    expect(await first.ended).toBe(0);
    expect(api.seen.filter(({ method }) => method === "PATCH")).toHaveLength(1);
    // The same object, another value: the yes from before does not count for it.
    const second = start(["patch", "configmap", "settings", "-p", '{"data":{"mode":"two"}}']);
    await decide("statement", "deny");
    expect(await second.ended).not.toBe(0);
    expect(second.said.err).toMatch(/denied|APPROVAL_DENIED/i);
    expect(api.seen.filter(({ method }) => method === "PATCH")).toHaveLength(1);
    // A stream says on its own terminal that it waits, and nothing of it reaches the cluster before.
    const exec = start(["exec", "web-1", "--", "echo", "approved"]);
    await system.until(async () => /waiting for approval: https?:/.test(exec.said.err), "the words");
    expect(exec.said.out).toBe("");
    expect(api.seen.some(({ target }) => target.includes("command=approved"))).toBe(false);
    await decide("statement", "approve");
    expect(await exec.ended).toBe(0);
    expect(exec.said.out).toBe("approved\n");
  });
});
