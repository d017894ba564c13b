/** `wicket proxy RESOURCE --task T --port N`: a loopback port for any driver, until it is stopped. */
import { Command, InvalidArgumentError } from "commander";
import { startBridge } from "../bridge/bridge.ts";
import { exit, fail } from "../exit.ts";
import { out, outJson, perform, say } from "../terminal.ts";
import { admissionOf, askOf, type SessionOptions, withSessionOptions } from "./session-options.ts";

interface ProxyOptions extends SessionOptions {
  readonly port: number;
  readonly json: boolean;
}

export function proxyCommand(): Command {
  const command = new Command("proxy")
    .description("Serve the database on a loopback port for any program, until stopped")
    .argument("<resource>", "the database")
    .option("--port <port>", "0 takes any that is free", parsePort, 0)
    .option("--json", "JSON lines on stdout: when it waits for approval, and when it is ready", false);
  return withSessionOptions(command).action((resource: string, options: ProxyOptions) =>
    perform(options.json, () => proxy(resource, options)),
  );
}

async function proxy(resource: string, options: ProxyOptions): Promise<number> {
  const ask = askOf(resource, options);
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve(signal));
  });
  const talk = (text: string): void => say(`wicket: ${text}`);
  const admission = admissionOf(options);
  const starting = startBridge({ ask, admission, listen: options.port, say: talk }, "may");
  // It may wait for an approval for long: then it is stopped without one, and what was asked for stays.
  const bridge = await Promise.race([starting, stopped]).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    const next = "Take another, or --port 0 for any.";
    throw fail(exit.failure, "PORT_IN_USE", `port ${options.port} is in use`, next);
  });
  if (typeof bridge === "string") process.exit(bridge === "SIGINT" ? exit.interrupted : exit.ok);
  const { host, port, password } = bridge;
  const url = `postgres://wicket:${password}@${host}:${port}/${encodeURIComponent(resource)}`;
  if (options.json)
    outJson({ status: "ready", host, port, url, user: "wicket", password, database: resource });
  else {
    out(url);
    say("Ready for any PostgreSQL driver on this machine. Ctrl-C ends it.");
  }
  await stopped;
  await bridge.stop();
  return exit.ok;
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port >= 0 && port <= 65535)) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return port;
}
