/** `wicket kubeconfig` and `wicket kube-credential`: kubectl through the edge. */
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { admit } from "../admission.ts";
import { admissionOf, paramOption, reasonOption } from "../commands/session-options.ts";
import {
  call,
  type Edge,
  type EdgeOptions,
  edgeFacts,
  edgeOption,
  jsonOption,
  openEdge,
  tokenOption,
} from "../edge.ts";
import { exit, fail } from "../exit.ts";
import { makeFolder } from "../folders.ts";
import { exchangeFor } from "../oauth.ts";
import { out, outJson, perform, say } from "../terminal.ts";
import { CONTEXT_VARIABLE, type CredentialRequest, execCredential, readExecInfo } from "./credential.ts";
import { contextName, writeKubeconfig } from "./kubeconfig.ts";

interface KubeconfigOptions extends EdgeOptions {
  readonly task: string;
  readonly param?: Readonly<Record<string, string>>;
  readonly reason?: string;
  readonly namespace?: string;
  readonly file?: string;
}

interface Offer {
  readonly name: string;
  readonly resource: string;
  readonly type: string;
  readonly may: boolean;
  readonly why: string | null;
  readonly at: string;
}

const wicket = join(import.meta.dirname, "..", "..", "bin", "wicket.js");

export function kubernetesCommands(): Command[] {
  const kubeconfig = new Command("kubeconfig")
    .description("Write a context for kubectl that reaches a cluster through the edge, under a task")
    .argument("<resource>", "the cluster")
    .requiredOption("--task <task>", "the task that you are here for")
    .addOption(paramOption())
    .addOption(reasonOption())
    .option("--namespace <name>", "the context's namespace")
    .option("--file <path>", "the kubeconfig; default: $KUBECONFIG, else ~/.kube/config")
    .addOption(edgeOption())
    .addOption(tokenOption())
    .addOption(jsonOption())
    .action((resource: string, options: KubeconfigOptions) =>
      perform(options.json ?? false, () => addContext(resource, options)),
    );
  const credential = new Command("kube-credential")
    .description(
      "Run by kubectl: gets the token for its context, and waits for approval where that is needed",
    )
    .option("--token <file>", "a file with an identity token instead of the login")
    .action((options: { token?: string }) => perform(false, () => giveCredential(options.token)));
  return [kubeconfig, credential];
}

async function addContext(resource: string, options: KubeconfigOptions): Promise<number> {
  const { task, param = {}, reason = null, namespace = null } = options;
  const edge = openEdge(options);
  const [facts, { tasks }] = await Promise.all([
    edgeFacts(edge.origin),
    call<{ tasks: readonly Offer[] }>(edge, "/api/tasks"),
  ]);
  const offer = tasks.find((one) => one.name === task);
  if (!offer) throw fail(exit.usage, "TASK_UNKNOWN", `there is no task ${task}`, "wicket tasks");
  if (offer.resource !== resource || offer.type !== "kubernetes") {
    const message = `the task ${task} is not for a cluster ${resource}`;
    throw fail(exit.usage, "TASK_RESOURCE", message, "wicket tasks");
  }
  if (!offer.may && offer.why === "NOT_A_MEMBER") {
    throw fail(exit.denied, "NOT_A_MEMBER", `you may not run the task ${task}`, offer.at);
  }
  const file = resolve(
    options.file ?? process.env["KUBECONFIG"]?.split(":")[0] ?? join(homedir(), ".kube", "config"),
  );
  const token = options.token === undefined ? [] : ["--token", resolve(options.token)];
  const context = {
    ...{
      edge: facts.https?.origin ?? edge.origin,
      login: edge.origin,
      resource,
      task,
      params: param,
      reason,
    },
    ...{ namespace, ca: facts.https?.authority ?? null },
    ...{ command: process.execPath, args: [...process.execArgv, wicket], after: token },
  };
  const written = writeKubeconfig(existsSync(file) ? readFileSync(file, "utf8") : null, context);
  if (!written.ok) throw fail(exit.failure, "KUBECONFIG", `${file}: ${written.message}`);
  makeFolder(dirname(file), "Name another file: KUBECONFIG=FILE");
  const next = `${file}.wicket-${process.pid}`;
  writeFileSync(next, written.text, { mode: 0o600 });
  chmodSync(next, 0o600);
  renameSync(next, file);
  const name = contextName(context);
  if (options.json) outJson({ status: "ok", file, context: name, server: context.edge });
  else say(`The context ${name} is in ${file}, and is the current one. Next: kubectl get pods`);
  return exit.ok;
}

async function giveCredential(tokenFile: string | undefined): Promise<number> {
  const read = readExecInfo(process.env["KUBERNETES_EXEC_INFO"], process.env[CONTEXT_VARIABLE]);
  if (!read.ok)
    throw fail(exit.usage, "EXEC_INFO", read.message, "wicket kubeconfig writes what kubectl needs");
  const { request } = read;
  const edge = openEdge({ edge: request.edge, ...(tokenFile === undefined ? {} : { token: tokenFile }) });
  const { token, expires } = await credentialFor(edge, request);
  out(execCredential(token, expires));
  return exit.ok;
}

/** The token for the context's task; asks and waits where a person must say yes first. */
async function credentialFor(
  edge: Edge,
  request: CredentialRequest,
): Promise<{ token: string; expires: number }> {
  const { task, params, reason, resource } = request;
  const detail = { type: "task", task, params, ...(reason === null ? {} : { reason }) };
  // A kept grant may end while it is waited for another: then it is asked for once more.
  for (let asked = 0; ; asked++) {
    const answer = await exchangeFor(edge.origin, await edge.token(), detail);
    if (answer.ok) return answer;
    if (answer.pending === null || asked > 1) throw answer.fault;
    const admission = admissionOf({ task, wait: true, emergency: false });
    await admit({ edge, resource, task, params, reason }, admission);
  }
}
