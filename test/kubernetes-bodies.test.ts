/** Bodies of requests and answers in the recording, through the whole system: what passed, masked. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeHome, kubectl } from "./apiserver/kubectl.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { type Cluster, startCluster } from "./support/cluster.ts";
import { operateTask, startEcho } from "./support/kubectl-commands.ts";

const newest = kubectl("v36");
if (newest === null) console.log("kubectl is not installed: nothing is proved of it");
const hidden = new RegExp(`${HIDDEN}|${Buffer.from(HIDDEN).toString("base64")}`);
const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
const echo = await startEcho();
let cluster: Cluster;
let home: KubeHome;

interface Played {
  readonly text: string;
  readonly sent: { readonly bytes: number; readonly left: string | null } | null;
  readonly asked: number;
  readonly answered: number;
  readonly askedText: string | null;
  readonly answeredText: string | null;
  readonly decision: { readonly effect: string };
  readonly outcome: { readonly bytes: number } | null;
}

beforeAll(async () => {
  const operate = operateTask(echo.port);
  const terse = operate.replace("task: operate", "task: terse");
  cluster = await startCluster({
    operate,
    terse: `${terse}recording: { level: statements, on_failure: terminate }\n`,
  });
  home = await cluster.home("tina", "operate");
});
afterAll(async () => {
  await cluster?.close();
  echo.close();
});

async function sessionOf(task: string): Promise<string> {
  const { body } = await cluster.system.api("tina", `/api/sessions?task=${task}`);
  return body.sessions[0].id;
}

/** The recording's requests, when the last one that fits is there with its outcome. */
async function played(task: string, last: RegExp): Promise<{ statements: Played[]; elided: boolean }> {
  const id = await sessionOf(task);
  return await cluster.system.until(async () => {
    const said = await cluster.system.wicket(["play", id, "--json"]);
    if (said.code !== 0) return null;
    const transcript = JSON.parse(said.stdout) as { statements: Played[]; elided: boolean };
    return transcript.statements.findLast(({ text }) => last.test(text))?.outcome ? transcript : null;
  }, `${last} in the recording`);
}

describe.runIf(newest)("bodies in the recording", () => {
  test("a write is kept as it was sent, without what looks like a credential", async () => {
    const object = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kept" },
      data: { mode: "kept-value", token: jwt },
    };
    const made = await home.run(newest!, ["create", "-f", "-"], { input: JSON.stringify(object) });
    expect(made.code).toBe(0);
    const { statements } = await played("operate", /^POST .*configmaps/);
    const write = statements.findLast(({ text }) => /^POST .*configmaps/.test(text))!;
    expect(write.sent).toMatchObject({ left: null });
    expect(write.askedText).toContain('"mode":"kept-value"');
    expect(write.askedText).toHaveLength(write.sent!.bytes);
    expect(write.answeredText).toContain('"mode":"kept-value"');
    expect(write.answered).toBe(write.outcome!.bytes);
    expect(JSON.stringify(statements)).not.toContain(jwt);
  });
  test("a Secret is kept masked both ways, in each shape", async () => {
    const run = (args: string[], input?: string) => home.run(newest!, args, input ? { input } : {});
    const secret = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "sent" },
      stringData: { password: "typed-by-hand" },
    };
    expect((await run(["apply", "-f", "-"], JSON.stringify(secret))).code).toBe(0);
    expect((await run(["create", "secret", "generic", "made", "--from-literal=a=typed-again"])).code).toBe(0);
    await run(["patch", "secret", "sent", "-p", '{"stringData":{"password":"typed-third"}}']);
    const operations = '[{"op":"replace","path":"/data/password","value":"dHlwZWQtZm91cnRo"}]';
    await run(["patch", "secret", "sent", "--type=json", "-p", operations]);
    await run(["get", "secrets"]);
    expect((await run(["get", "secrets", "-o", "yaml"])).code).toBe(0);
    await run(["get", "pods", "-o", "yaml"]);
    const { statements } = await played("operate", /^GET .*\/pods\?/);
    const all = JSON.stringify(statements);
    expect(all).not.toMatch(hidden);
    for (const typed of ["typed-by-hand", "typed-again", "typed-third", "typed-fourth"]) {
      expect(all).not.toContain(typed);
      expect(all).not.toContain(Buffer.from(typed).toString("base64"));
    }
    const writes = statements.filter(({ text }) => /^(POST|PATCH) .*secrets/.test(text));
    expect(writes.some(({ askedText }) => askedText?.includes("masked-by-wicketgate"))).toBe(true);
    expect(writes.map(({ sent }) => sent?.left)).toEqual(expect.arrayContaining(["secret", "binary", null]));
    const list = statements.findLast(({ text }) => /^GET .*\/secrets\?limit/.test(text))!;
    expect(list.answeredText).toContain('"password":"KiptYXNrZWQ');
  });
  test("what was refused for its body is kept with it", async () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x", namespace: "billing" } };
    const path = "/k8s/prod-cluster/api/v1/namespaces/shop/configmaps";
    const { status } = await cluster.system.api("tina", path, {
      method: "POST",
      body: JSON.stringify(object),
      headers: { "content-type": "application/json", "wicket-task": "operate" },
    });
    expect(status).toBeGreaterThanOrEqual(400);
    await home.run(newest!, ["get", "nodes"]);
    const { statements } = await played("operate", /^GET .*\/nodes/);
    const refused = statements.findLast(({ decision }) => decision.effect === "deny")!;
    expect(refused.askedText).toContain('"namespace":"billing"');
  });
  test("a long answer is kept as far as 256 KiB, and said to be cut", async () => {
    const data = { long: "x".repeat(300_000) };
    const { api } = cluster;
    const { kinds } = await import("./apiserver/kinds.ts");
    const kind = kinds.find(({ kind: name }) => name === "ConfigMap")!;
    const metadata = { name: "long", namespace: "shop" };
    api.store.put(kind, { kind: "ConfigMap", apiVersion: "v1", metadata, data }, false);
    expect((await home.run(newest!, ["get", "configmap", "long", "-o", "yaml"])).code).toBe(0);
    const { statements } = await played("operate", /configmaps\/long/);
    const read = statements.findLast(({ text }) => text.includes("configmaps/long"))!;
    expect(read.answered).toBe(256 * 1024);
    expect(read.outcome!.bytes).toBeGreaterThan(300_000);
    const said = await cluster.system.wicket(["play", await sessionOf("operate"), "--body", "20"]);
    expect(said.stdout).toMatch(/answer HTTP 200: 300\d{3} bytes, of which 262144 are recorded/);
    expect(said.stdout).toMatch(/… 262124 more characters/);
  });
  test("at the level `statements` nothing of bodies and terminals can be read", async () => {
    const terse = await cluster.home("tina", "terse");
    await terse.run(newest!, ["get", "pods"]);
    await terse.run(newest!, ["exec", "web-1", "--", "echo", "said-by-echo"]);
    const { statements, elided } = await played("terse", /\/exec/);
    expect(elided).toBe(true);
    expect(statements.every(({ asked, answered }) => asked + answered === 0)).toBe(true);
    const said = JSON.stringify(statements.map(({ answeredText, askedText }) => [answeredText, askedText]));
    expect(said).not.toMatch(/web-1|said-by-echo/);
  });
  test("the recording with its pieces verifies, on both sides", async () => {
    const { system, direct } = cluster;
    const id = await sessionOf("operate");
    expect((await system.wicket(["sessions", "kill", id, "--json"])).code).toBe(0);
    await system.until(
      async () => (await system.api("tina", `/api/sessions/${id}/recording`)).body.final,
      "the recording's last segment",
    );
    const bundle = join(direct.folder, "session.zip");
    expect((await system.wicket(["recording", "export", id, "-o", bundle])).code).toBe(0);
    const keys = system.keys.flatMap((key) => ["--key", key]);
    const verified = await system.wicket(["recording", "verify", bundle, ...keys]);
    expect(verified.stdout).not.toMatch(/FAIL/);
    expect(verified.code).toBe(0);
  });
});
