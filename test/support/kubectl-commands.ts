/**
 * What people do with kubectl, each as a command with what it must do: for the tests through the whole system and
 * for the table of versions. The task `operate` grants all of it, and no more.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import type { KubeHome } from "../apiserver/kubectl.ts";

export interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KubectlCommand {
  /** As the table shows it. */
  readonly name: string;
  /** Runs it; what it said, put so that it can be compared. `tag` is unlike any other run's. */
  run(kubectl: string, home: KubeHome, tag: string): Promise<Said>;
  /** What it must have said. */
  readonly says: RegExp;
}

/** The task that grants what the commands do. `port`: where a pod may be reached. */
export function operateTask(port: number): string {
  return `version: 1
task: operate
description: Run the shop.
owner: platform
who: { groups: [support] }
resource: prod-cluster
allow:
  - { resources: [pods], verbs: [get, list, watch], namespaces: [shop], mask: { "spec.containers[*].env[*].value": { constant: hidden } } }
  - { resources: [pods/log], verbs: [logs], namespaces: [shop] }
  - { resources: [configmaps, services, events, serviceaccounts], verbs: [get, list, watch, create, update, patch, delete], namespaces: [shop] }
  - { resources: [secrets], verbs: [get, list, watch, create, patch], namespaces: [shop] }
  - { apiGroups: [apps], resources: [deployments, deployments/scale, replicasets], verbs: [get, list, watch, create, update, patch], namespaces: [shop], mask: { "spec.template.spec.containers[*].env[*].value": { constant: hidden } } }
  - { apiGroups: [metrics.k8s.io], resources: [pods], verbs: [get, list], namespaces: [shop] }
  - { resources: [pods/exec], verbs: [exec], namespaces: [shop], names: ["web-*"], commands: ["sh -c *", "cat", "tar *", "sleep *", "echo *", "test *"] }
  - { resources: [pods/portforward], verbs: [portforward], namespaces: [shop], ports: [${port}] }
  - { resources: [namespaces, nodes], verbs: [get, list] }
session: { ttl: 2h, idle: 10m, max_concurrent: 4 }
`;
}

/** A server that says back what it hears: what stands behind a pod's port. */
export async function startEcho(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.on("data", (bytes) => socket.end(`echo ${bytes}`));
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as { port: number }).port, close: () => server.close() };
}

const environment = (home: KubeHome, more: Readonly<Record<string, string>> = {}) => ({
  ...{ HOME: home.folder, KUBECONFIG: home.config, PATH: process.env["PATH"] },
  ...more,
});

/** Runs until it has said `until`, then ends it. */
export function runUntil(
  kubectl: string,
  home: KubeHome,
  args: readonly string[],
  until: RegExp,
  meanwhile: () => Promise<void> = async () => {},
): Promise<Said> {
  const child = spawn(kubectl, args, { env: environment(home) });
  let stdout = "";
  let stderr = "";
  let met = false;
  const timer = setTimeout(() => child.kill("SIGKILL"), 30_000);
  child.stderr.on("data", (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve) => {
    child.stdout.on("data", (chunk) => {
      stdout += String(chunk);
      if (met || !until.test(stdout)) return;
      met = true;
      meanwhile().then(
        () => child.kill(),
        () => child.kill("SIGKILL"),
      );
    });
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: met ? 0 : (code ?? -1), stdout, stderr });
    });
  });
}

const simple = (name: string, args: readonly string[], says: RegExp, input?: string): KubectlCommand => ({
  name,
  says,
  run: (kubectl, home) => home.run(kubectl, args, input === undefined ? {} : { input }),
});

const map = (tag: string, value: string) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: tag }, data: { mode: value } });

/** One command after the other, as long as they succeed; the last one's words with the tag taken out. */
async function steps(tag: string, runs: readonly (() => Promise<Said>)[]): Promise<Said> {
  let said: Said = { code: 0, stdout: "", stderr: "" };
  for (const run of runs) {
    said = await run();
    if (said.code !== 0) break;
  }
  return {
    ...said,
    stdout: said.stdout.replaceAll(tag, "NAME"),
    stderr: said.stderr.replaceAll(tag, "NAME"),
  };
}

const apply = (kubectl: string, home: KubeHome, tag: string, value: string, more: readonly string[] = []) =>
  home.run(kubectl, ["apply", "-f", "-", ...more], { input: map(tag, value) });

/** All of them. `port`: the granted one. */
export function kubectlCommands(port: number): readonly KubectlCommand[] {
  return [
    simple("get", ["get", "pods"], /web-1/),
    simple("get -o yaml", ["get", "pod", "web-1", "-o", "yaml"], /name: web-1/),
    simple("get secrets -o yaml", ["get", "secrets", "-o", "yaml"], /password:/),
    {
      name: "get --watch",
      says: /web-1/,
      async run(kubectl, home) {
        const said = await runUntil(kubectl, home, ["get", "pods", "--watch", "-o", "name"], /web-2\n/);
        // What came between that line and its end is chance.
        return { ...said, stdout: said.stdout.split(/(?<=web-2\n)/)[0]! };
      },
    },
    simple("describe", ["describe", "pod", "web-1"], /Name: +web-1/),
    simple("logs", ["logs", "web-1"], /./),
    {
      name: "logs -f",
      says: /./,
      async run(kubectl, home) {
        const said = await runUntil(kubectl, home, ["logs", "-f", "web-1"], /\n/);
        return { ...said, stdout: said.stdout.split("\n")[0]! };
      },
    },
    {
      name: "apply",
      says: /configured/,
      run: (kubectl, home, tag) =>
        steps(tag, [() => apply(kubectl, home, tag, "fast"), () => apply(kubectl, home, tag, "slow")]),
    },
    {
      name: "apply --server-side",
      says: /serverside-applied/,
      run: (kubectl, home, tag) => steps(tag, [() => apply(kubectl, home, tag, "fast", ["--server-side"])]),
    },
    {
      name: "diff",
      says: /\+ +mode: slow/,
      run: (kubectl, home, tag) =>
        steps(tag, [
          () => apply(kubectl, home, tag, "fast"),
          async () => {
            const said = await home.run(kubectl, ["diff", "-f", "-"], { input: map(tag, "slow") });
            // 1 says that there are differences. File names and times are of the moment.
            const lines = said.stdout.split("\n").filter((line) => /^[+-] /.test(line));
            return { ...said, code: said.code === 1 ? 0 : said.code, stdout: lines.join("\n") };
          },
        ]),
    },
    {
      name: "edit",
      says: /^slow$/,
      async run(kubectl, home, tag) {
        const editor = join(home.folder, "editor.sh");
        writeFileSync(editor, '#!/bin/sh\nsed -i s/fast/slow/ "$1"\n', { mode: 0o700 });
        return await steps(tag, [
          () => apply(kubectl, home, tag, "fast"),
          () =>
            new Promise((resolve) => {
              const child = spawn(kubectl, ["edit", "configmap", tag], {
                env: environment(home, { KUBE_EDITOR: editor }),
              });
              let stderr = "";
              child.stderr.on("data", (chunk) => {
                stderr += String(chunk);
              });
              child.on("close", (code) => resolve({ code: code ?? -1, stdout: "", stderr }));
            }),
          () => home.run(kubectl, ["get", "configmap", tag, "-o", "jsonpath={.data.mode}"]),
        ]);
      },
    },
    {
      name: "patch, label, annotate",
      says: /annotated/,
      run: (kubectl, home, tag) =>
        steps(tag, [
          () => apply(kubectl, home, tag, "fast"),
          () => home.run(kubectl, ["patch", "configmap", tag, "-p", '{"data":{"more":"1"}}']),
          () => home.run(kubectl, ["label", "configmap", tag, "team=web"]),
          () => home.run(kubectl, ["annotate", "configmap", tag, "seen=yes"]),
        ]),
    },
    {
      name: "delete",
      says: /deleted/,
      run: (kubectl, home, tag) =>
        steps(tag, [
          () => apply(kubectl, home, tag, "fast"),
          () => home.run(kubectl, ["delete", "configmap", tag]),
        ]),
    },
    {
      name: "create secret",
      says: /created/,
      run: (kubectl, home, tag) =>
        steps(tag, [() => home.run(kubectl, ["create", "secret", "generic", tag, "--from-literal=a=b"])]),
    },
    simple("scale", ["scale", "deployment", "web", "--replicas=2"], /scaled/),
    {
      name: "rollout restart",
      says: /restarted/,
      // kubectl refuses to restart twice within a second, by the annotation that it leaves: taken out first.
      run: (kubectl, home, tag) => {
        const annotations = { "kubectl.kubernetes.io/restartedAt": null };
        const patch = JSON.stringify({ spec: { template: { metadata: { annotations } } } });
        return steps(tag, [
          () => home.run(kubectl, ["patch", "deployment", "web", "--type=merge", "-p", patch]),
          () => home.run(kubectl, ["rollout", "restart", "deployment/web"]),
        ]);
      },
    },
    simple("exec", ["exec", "web-1", "--", "sh", "-c", "echo out; echo err >&2"], /out/),
    {
      name: "exec -i",
      says: /typed/,
      run: (kubectl, home) => home.run(kubectl, ["exec", "-i", "web-1", "--", "cat"], { input: "typed\n" }),
    },
    {
      name: "exec (exit code)",
      says: /code 3/,
      async run(kubectl, home) {
        const said = await home.run(kubectl, ["exec", "web-1", "--", "sh", "-c", "exit 3"]);
        return { code: said.code === 3 ? 0 : -1, stdout: `code ${said.code}`, stderr: said.stderr };
      },
    },
    {
      name: "cp from a pod",
      says: /copied/,
      async run(kubectl, home, tag) {
        // The pod's processes run on this machine, so its files are these.
        const [from, to] = [join(home.folder, `${tag}.from`), join(home.folder, `${tag}.to`)];
        writeFileSync(from, "copied\n".repeat(5000));
        const said = await home.run(kubectl, ["cp", `shop/web-1:${from}`, to]);
        const whole = said.code === 0 && readFileSync(to, "utf8") === "copied\n".repeat(5000);
        return { code: whole ? 0 : -1, stdout: whole ? "copied" : "", stderr: whole ? "" : said.stderr };
      },
    },
    {
      name: "cp to a pod",
      says: /copied/,
      async run(kubectl, home, tag) {
        const [from, to] = [join(home.folder, `${tag}.up`), join(home.folder, `${tag}.there`)];
        writeFileSync(from, "copied\n".repeat(5000));
        const said = await home.run(kubectl, ["cp", from, `shop/web-1:${to}`]);
        const whole = said.code === 0 && readFileSync(to, "utf8") === "copied\n".repeat(5000);
        return { code: whole ? 0 : -1, stdout: whole ? "copied" : "", stderr: said.stderr };
      },
    },
    { name: "port-forward", says: /echo hello/, run: (kubectl, home) => forward(kubectl, home, port) },
    simple("wait", ["wait", "--for=condition=Ready", "pod/web-1", "--timeout=10s"], /condition met/),
    simple("top pods", ["top", "pods"], /web-1 +12m +34Mi/),
    simple("auth can-i", ["auth", "can-i", "list", "pods"], /yes/),
    simple("events", ["get", "events"], /^/),
    simple("api-resources", ["api-resources", "-o", "name"], /pods/),
    simple("get --raw", ["get", "--raw", "/version"], /gitVersion/),
  ];
}

async function forward(kubectl: string, home: KubeHome, port: number): Promise<Said> {
  let heard = "";
  const args = ["port-forward", "pod/web-1", `:${port}`];
  let local = 0;
  const said = await new Promise<Said>((resolve) => {
    const child = spawn(kubectl, args, { env: environment(home) });
    let stdout = "";
    let stderr = "";
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    child.stderr.on("data", (chunk) => {
      stderr += String(chunk);
    });
    child.stdout.on("data", (chunk) => {
      stdout += String(chunk);
      const found = /127\.0\.0\.1:(\d+)/.exec(stdout);
      if (!found || local !== 0) return;
      local = Number(found[1]);
      const socket = connect(local, "127.0.0.1", () => socket.write("hello"));
      socket.on("data", (bytes) => {
        heard += String(bytes);
      });
      socket.on("error", () => {});
      socket.on("close", () => child.kill());
    });
    child.on("close", () => {
      clearTimeout(timer);
      resolve({ code: heard === "" ? -1 : 0, stdout: heard, stderr });
    });
  });
  return { ...said, stderr: said.code === 0 ? "" : said.stderr };
}
