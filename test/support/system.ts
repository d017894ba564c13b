/** The whole system as a person starts it: `wicket dev` in a process of its own, and the commands beside it. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";

const root = join(import.meta.dirname, "..", "..");
const wicketScript = join(root, "bin", "wicket.js");

export interface SystemOptions {
  /** Folder of a task library. */
  readonly policies?: string;
  /** `--target`, by resource. */
  readonly target?: Readonly<Record<string, string>>;
  /** URL of the database behind `orders-db`. */
  readonly postgres?: string;
  readonly state?: string;
  /** File of an auditor's public key. */
  readonly auditor?: string;
}

export interface RunResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Whose token, or a token itself; null for none. Default: tina. */
  readonly as?: string | null;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface LocalPort {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly password: string;
  stop(): Promise<void>;
}

export interface System {
  readonly edge: string;
  readonly issuer: string;
  readonly people: Readonly<Record<string, string>>;
  readonly operator: string;
  readonly keys: readonly string[];
  readonly state: string;
  readonly https?: { readonly origin: string; readonly authority: string };
  /** Objects of `--json` so far. */
  readonly events: Record<string, unknown>[];
  readonly process: ChildProcess;
  /** Path of a file with the person's token, or with the token that is given itself. */
  tokenFile(person: string): string;
  /** Runs `wicket …` to its end. */
  wicket(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts `wicket …` and leaves it running; stopped at the end at the latest. */
  spawn(args: readonly string[], options?: RunOptions): ChildProcess;
  /** `wicket proxy …`, ready. */
  proxy(args: readonly string[], options?: RunOptions): Promise<LocalPort>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  api(person: string, path: string, init?: RequestInit): Promise<{ status: number; body: any }>;
  /** Waits until `look` gives something. */
  until<T>(look: () => Promise<T | null | undefined | false>, what: string, ms?: number): Promise<T>;
  stop(): Promise<number | null>;
}

/** Starts `wicket dev --json --port 0` and waits until it is ready. */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const folder = mkdtempSync(join(tmpdir(), "wicket-system-"));
  const args = ["dev", "--json", "--port", "0"];
  for (const [name, where] of Object.entries(options.target ?? {})) args.push("--target", `${name}=${where}`);
  for (const name of ["policies", "postgres", "state", "auditor"] as const) {
    const value = options[name];
    if (value !== undefined) args.push(`--${name}`, value);
  }
  const dev = spawn(process.execPath, [wicketScript, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const children = new Set<ChildProcess>();
  const events: Record<string, unknown>[] = [];
  let errors = "";
  dev.stderr.on("data", (chunk) => {
    errors = (errors + String(chunk)).slice(-8192);
  });
  const ready = await new Promise<Record<string, never>>((resolve, reject) => {
    createInterface({ input: dev.stdout }).on("line", (line) => {
      const event = JSON.parse(line) as Record<string, never>;
      events.push(event);
      if (event["status"] === "ready") resolve(event);
    });
    dev.once("exit", (code) =>
      reject(new Error(`wicket dev ended (${code}): ${JSON.stringify(events)} ${errors}`)),
    );
  }).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const { edge, issuer, people, operator, keys, state, https } = ready as unknown as System;
  const tokens: Record<string, string> = { ...people, operator };

  const tokenFile = (person: string): string => {
    const token = tokens[person] ?? person;
    const path = join(folder, `${createHash("sha256").update(token).digest("hex").slice(0, 16)}.token`);
    // Written once: a command that runs reads it again and again, and must never find it half written.
    if (!existsSync(path)) writeFileSync(path, token, { mode: 0o600 });
    return path;
  };
  const environment = ({ as = "tina", env = {} }: RunOptions): NodeJS.ProcessEnv => {
    const { WICKET_TOKEN_FILE: _, WICKET_EDGE: __, npm_command: ___, ...rest } = process.env;
    return {
      ...rest,
      ...{ XDG_CONFIG_HOME: join(folder, "config"), WICKET_EDGE: edge, PSQLRC: "/dev/null", NO_COLOR: "1" },
      ...(as === null ? {} : { WICKET_TOKEN_FILE: tokenFile(as) }),
      ...env,
    };
  };
  const start = (given: readonly string[], run: RunOptions = {}): ChildProcess => {
    const child = spawn(process.execPath, [wicketScript, ...given], { env: environment(run), stdio: "pipe" });
    children.add(child);
    child.once("exit", () => children.delete(child));
    return child;
  };
  const system: System = {
    ...(https ? { https } : {}),
    ...{ edge, issuer, people, operator, keys, state, events, process: dev, tokenFile },
    spawn: start,
    wicket(given, run = {}) {
      const child = start(given, run);
      child.stdin!.on("error", () => {});
      child.stdin!.end(run.input ?? "");
      return finished(child);
    },
    async proxy(given, run = {}) {
      const child = start(["proxy", ...given, "--port", "0", "--json"], run);
      let said = "";
      child.stderr!.on("data", (chunk) => {
        said += String(chunk);
      });
      const line = await new Promise<string>((resolve, reject) => {
        createInterface({ input: child.stdout! }).once("line", resolve);
        child.once("exit", (code) => reject(new Error(`wicket proxy ended (${code}): ${said}`)));
      });
      const found = JSON.parse(line) as LocalPort & { status: string };
      if (found.status !== "ready") throw new Error(line);
      const { host, port, url, password } = found;
      return { host, port, url, password, stop: async () => void (await ended(child)) };
    },
    async api(person, path, init = {}) {
      const response = await fetch(edge + path, {
        ...init,
        headers: { ...init.headers, authorization: `Bearer ${tokens[person] ?? person}` },
      });
      return { status: response.status, body: await response.json().catch(() => null) };
    },
    async until(look, what, ms = 60_000) {
      const end = Date.now() + ms;
      for (;;) {
        const found = await look();
        if (found) return found;
        if (Date.now() > end) throw new Error(`waited in vain for: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async stop() {
      await Promise.all([...children].map(ended));
      const code = await ended(dev);
      if (code !== 0)
        console.error(`wicket dev ended with ${code}: ${JSON.stringify(events.slice(-3))} ${errors}`);
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
  return system;
}

/** The embedded database's own superuser, past the gate. */
export async function adminOf(system: System): Promise<pg.Client> {
  const { adminPassword } = JSON.parse(readFileSync(join(system.state, "secrets.json"), "utf8"));
  const config = readFileSync(join(system.state, "connector-demo", "connector.yaml"), "utf8");
  const port = Number(/port: (\d+)/.exec(config)![1]);
  const login = { user: "postgres", password: adminPassword, database: "shop" };
  const client = new pg.Client({ host: "127.0.0.1", port, ...login });
  await client.connect();
  return client;
}

/** Collects a child's output until it ends. */
export function finished(child: ChildProcess): Promise<RunResult> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk) => {
    stdout += String(chunk);
  });
  child.stderr?.on("data", (chunk) => {
    stderr += String(chunk);
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** SIGTERM, and the exit code. */
function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => {
    child.once("exit", (code) => resolve(code));
    child.kill("SIGTERM");
  });
}
