/** Real kubectl of many versions, directly and through the cluster door: both are told the same, but for what is hidden. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KubeHome, kubectl, kubectlVersions } from "./apiserver/kubectl.ts";
import { HIDDEN } from "./apiserver/seed.ts";
import { hidden, type OperatedCluster, startOperatedCluster } from "./support/operated-cluster.ts";

let direct: KubeHome;
let gated: KubeHome;
let cluster: OperatedCluster;

beforeAll(async () => {
  cluster = await startOperatedCluster();
  ({ direct, gated } = cluster);
});
afterAll(() => cluster?.close());

/** Masks what the task hides, so that what is left must be equal. */
function strip(text: string): string {
  return text
    .replaceAll(HIDDEN, "hidden")
    .replaceAll(Buffer.from(HIDDEN).toString("base64"), "X")
    .replace(/KiptYXNrZWQ\w+=*/g, "X")
    .replace(/\*\*masked-by-wicketgate\*\*/g, "hidden")
    .replace(/eyJ[\w.-]+/g, (found) => "*".repeat(found.length));
}

describe.each(kubectlVersions)("kubectl %s is told the same directly and through the gate", (version) => {
  const binary = kubectl(version);
  if (binary === null) console.log(`kubectl ${version} is not installed: nothing is compared`);
  const reads = [
    ["get", "pods"],
    ["get", "pods", "-o", "wide"],
    ["get", "pods", "-o", "yaml"],
    ["get", "pods", "-o", "json", "-l", "app=web"],
    ["get", "pod", "web-1", "-o", "name"],
    ["get", "deployments", "-o", "yaml"],
    ["get", "secrets"],
    ["get", "secrets", "-o", "yaml"],
    ["get", "nodes"],
    ["get", "ns"],
    ["describe", "pod", "web-1"],
    ["logs", "web-1"],
    ["get", "pods", "--field-selector", "metadata.name=web-1"],
    ["wait", "--for=condition=Ready", "pod/web-1", "--timeout=5s"],
    ["api-resources"],
    ["version"],
    ["get", "pod", "missing"],
    ["exec", "web-1", "--", "sh", "-c", "echo out; echo err >&2; exit 3"],
  ];
  test.runIf(binary).each(reads.map((args) => [args.join(" "), args] as const))("%s", async (_, args) => {
    const [a, b] = [await direct.run(binary!, args), await gated.run(binary!, args)];
    expect(b.stdout).not.toMatch(hidden);
    expect({ code: b.code, stdout: strip(b.stdout), stderr: strip(b.stderr) }).toEqual({
      code: a.code,
      stdout: strip(a.stdout),
      stderr: strip(a.stderr),
    });
  });

  test.runIf(binary)("writes and their echoes", async () => {
    const name = `m-${version}`;
    const manifest = JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name },
      data: { a: "1" },
    });
    const run = (args: string[], input?: string) =>
      gated.run(binary!, args, input === undefined ? {} : { input });
    expect(await run(["apply", "-f", "-"], manifest)).toMatchObject({ code: 0, stderr: "" });
    expect((await run(["diff", "-f", "-"], manifest.replace('"1"', '"2"'))).stdout).toContain('a: "2"');
    expect(await run(["apply", "-f", "-"], manifest.replace('"1"', '"2"'))).toMatchObject({ code: 0 });
    expect(await run(["apply", "--server-side", "--force-conflicts", "-f", "-"], manifest)).toMatchObject({
      code: 0,
    });
    expect(await run(["scale", "deployment", "web", "--replicas=2"])).toMatchObject({ code: 0 });
    expect(await run(["delete", "configmap", name])).toMatchObject({ code: 0 });
    const secret = `s-${version}`;
    const created = await run([
      "create",
      "secret",
      "generic",
      secret,
      `--from-literal=p=${HIDDEN}`,
      "-o",
      "yaml",
    ]);
    expect(created.code, created.stderr).toBe(0);
    expect(created.stdout).not.toMatch(hidden);
  });

  test.runIf(binary)("stdin, copy and can-i", async () => {
    const cat = await gated.run(binary!, ["exec", "-i", "web-1", "--", "cat"], {
      input: "through the gate\n",
    });
    expect(cat).toMatchObject({ code: 0, stdout: "through the gate\n" });
    expect((await gated.run(binary!, ["auth", "can-i", "list", "pods"])).stdout.trim()).toBe("yes");
    expect((await gated.run(binary!, ["auth", "can-i", "delete", "nodes"])).stdout).toMatch(/^no/);
    expect((await gated.run(binary!, ["auth", "whoami"])).stdout).toContain("tina");
  });

  test.runIf(binary)("refusals name the rule and what would be allowed", async () => {
    const pods = await gated.run(binary!, ["get", "pods", "-n", "billing"]);
    expect(pods.code).not.toBe(0);
    expect(pods.stderr).toMatch(
      /operate does not allow list of pods in namespace billing; it grants -n shop \(NAMESPACE_NOT_GRANTED\) \[tasks\/operate\.yaml:\d+\]/,
    );
    const exec = await gated.run(binary!, ["exec", "web-1", "--", "id"]);
    expect(exec.stderr).toContain("COMMAND_NOT_GRANTED");
    const label = await gated.run(binary!, ["delete", "pod", "db-0", "--wait=false"]);
    expect(label.stderr).toContain("LABELS_NOT_GRANTED");
  });
});
