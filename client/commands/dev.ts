/** `wicket dev`: the whole system on this machine, until Ctrl-C. */
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import type { DevEvent, DevOptions, DevSystem } from "../dev/dev.ts";
import { exit } from "../exit.ts";
import { inert } from "../recording/inert.ts";
import { outJson, perform, say, styled } from "../terminal.ts";

const demo = join(import.meta.dirname, "..", "..", "policies", "library");

export function devCommand(): Command {
  return new Command("dev")
    .description("Run the whole system on this machine: edge, identity provider, connector, database")
    .option("--policies <dir>", "the task library; default: the demo's")
    .option("--postgres <url>", "the database behind orders-db instead of the embedded one")
    .option(
      "--target <name=where>",
      "what stands behind another resource: a URL, a kubeconfig, or a file as in connector.yaml",
      collectTarget,
    )
    .option("--auditor <file>", "an auditor's public key, for tasks whose recordings are sealed")
    .option("--port <port>", "the edge's port on loopback; 0 takes any", parsePort, 8787)
    .option("--state <dir>", "keep all state here; default: a temporary folder")
    .option("--json", "one JSON object a line on stdout", false)
    .action((options: Omit<DevOptions, "policies"> & { policies?: string; json: boolean }) =>
      perform(options.json, () => dev({ ...options, policies: options.policies ?? demo }, options.json)),
    );
}

async function dev(options: DevOptions, json: boolean): Promise<number> {
  const stopped = new Promise<"stopped">((resolve) => {
    // More than one may come (to the group, and passed on by a launcher): the first one counts.
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => resolve("stopped"));
    // Whoever read what is told here is gone (EPIPE): end in order, and leave nothing behind.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => resolve("stopped"));
  });
  const tell = (event: DevEvent): void => {
    if (json) outJson(event);
    else show(event);
  };
  // Loaded here: no other command needs the edge's runtime.
  const { startDev } = await import("../dev/dev.ts");
  const starting = startDev(options, tell);
  const system = await Promise.race([starting, stopped]);
  if (system === "stopped") {
    if (!json) say("\nStopping, when what was begun has started.");
    await starting.then((late) => late.stop()).catch(() => {});
    return exit.ok;
  }
  tell(system.ready);
  try {
    await Promise.race([system.broken, stopped]);
  } finally {
    if (!json) say("\nStopping.");
    await system.stop();
  }
  return exit.ok;
}

function show(event: DevEvent): void {
  switch (event.status) {
    case "starting":
      say(`starting the ${event.part}`);
      return;
    case "warning":
      for (const [index, line] of event.message.split("\n").entries()) {
        say(styled("yellow", `${index === 0 ? "warning: " : ""}${inert(line)}`, process.stderr));
      }
      return;
    case "policies":
      say(
        `The policies changed and are in force (${event.digest.slice(0, 12)}); sessions under the old ones ended.`,
      );
      return;
    case "log":
      for (const line of event.message.split("\n")) say(`[${event.part}] ${inert(line)}`);
      return;
    case "ready":
      showReady(event);
  }
}

/** What to type next; each line works when it is pasted. */
function showReady(ready: DevSystem["ready"]): void {
  const edge = ready.edge === "http://127.0.0.1:8787" ? "" : ` --edge ${ready.edge}`;
  const names = Object.keys(ready.people);
  const person = names.includes("tina") ? "tina" : (names[0] ?? "operator");
  say("");
  say(styled("bold", `Wicketgate runs at ${ready.edge}`, process.stderr));
  say(`people: ${names.join(", ")}; administrator: operator; state: ${ready.state}`);
  say("");
  say("In a second terminal, in this folder:");
  say("");
  say(`  npx wicket login --as ${person}${edge}`);
  say("  npx wicket tasks");
  if (ready.resources.includes("orders-db") && person === "tina") {
    say("  npx wicket connect orders-db --task order-lookup --param customer=7 --reason INC-7 -- psql");
  }
  say("  npx wicket sessions");
  say("");
  if (ready.resources.includes("orders-db") && person === "tina" && names.includes("lee")) {
    showApproval(ready.edge, edge);
  }
  say("Ctrl-C stops everything and leaves nothing behind.");
}

/** How to try an approval: the command waits, so these lines are for two terminals. */
function showApproval(origin: string, edge: string): void {
  const ask = "--task refund-investigation --param customer=7 --reason INC-8";
  say("A task that lee must approve, and each of its updates once more; tina asks and waits:");
  say("");
  say(`    npx wicket connect orders-db ${ask} -- psql`);
  say("");
  say(`lee says yes at ${origin}/requests (sign in as lee, with any password), or in a third terminal:`);
  say("");
  say("    export XDG_CONFIG_HOME=$(mktemp -d)    # lee's login, beside tina's");
  say(`    npx wicket login --as lee${edge}`);
  say("    npx wicket requests");
  say("    npx wicket approve REQUEST");
  say("");
}

function collectTarget(text: string, before: Record<string, string> = {}): Record<string, string> {
  const split = text.indexOf("=");
  if (split < 1 || split === text.length - 1)
    throw new InvalidArgumentError("A target is written name=where.");
  return { ...before, [text.slice(0, split)]: text.slice(split + 1) };
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65535)) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}
