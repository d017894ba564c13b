/** The edge's log and a real witness, the program as it is delivered: one file, started by hand. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundleProgram } from "../scripts/build.ts";
import { utf8 } from "../wire/log/bytes.ts";
import { openCheckpoint } from "../wire/log/checkpoint.ts";
import { parseVerifierKey } from "../wire/log/note.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-witness-"));
let lab: EdgeLab;
let program: ChildProcess;
let witnessKey = "";
let logKey = "";

interface Log {
  appendEntry(entry: object): Promise<{ ok: boolean }>;
}

beforeAll(async () => {
  const file = await bundleProgram("witness/main.ts", "wicket-witness.mjs", 20);
  const key = join(folder, "key");
  witnessKey = execFileSync(process.execPath, [file, "keygen", "--name", "witness.example", "--key", key], {
    encoding: "utf8",
  }).trim();
  lab = await startEdgeLab({
    async witnesses(given) {
      logKey = given;
      const args = [
        "run",
        "--key",
        key,
        "--state",
        join(folder, "state"),
        "--listen",
        "127.0.0.1:0",
        "--log",
        given,
      ];
      program = spawn(process.execPath, [file, ...args], { stdio: ["ignore", "pipe", "inherit"] });
      const line = await new Promise<string>((resolve) =>
        createInterface({ input: program.stdout! }).once("line", resolve),
      );
      return [{ url: (JSON.parse(line) as { url: string }).url, key: witnessKey }];
    },
  });
});

afterAll(async () => {
  program?.kill("SIGTERM");
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function read(n: number): Promise<void> {
  const objects = await lab.edge.miniflare.getDurableObjectNamespace("LOG");
  const log = objects.get(objects.idFromName("log")) as unknown as Log;
  const actor = { issuer: "https://issuer.example", subject: "tina" };
  const entry = { v: 1, type: "recording.read", time: 1_700_000_000_000 + n, session: `s${n}`, actor };
  expect((await log.appendEntry(entry)).ok).toBe(true);
}

/** The newest checkpoint with the witness's cosignature. */
function cosigned(size: number) {
  return lab.until(async () => {
    const bytes = utf8(await (await fetch(`${lab.origin}/log/checkpoint`)).text());
    const opened = await openCheckpoint(bytes, parseVerifierKey(logKey)!, [parseVerifierKey(witnessKey)!]);
    return opened.ok && opened.checkpoint.size >= size && opened.verified.length === 2 ? opened : null;
  }, `a cosigned checkpoint of ${size} entries`);
}

test("the witness cosigns the log as it grows, and remembers it", async () => {
  for (let n = 0; n < 3; n++) await read(n);
  await cosigned(3);
  for (let n = 3; n < 8; n++) await read(n);
  const { checkpoint } = await cosigned(8);
  const kept = JSON.parse(readFileSync(join(folder, "state"), "utf8")) as Record<string, { size: number }>;
  expect(Object.keys(kept)).toEqual([checkpoint.origin]);
  expect(kept[checkpoint.origin]!.size).toBeGreaterThanOrEqual(8);
});

test("the log goes on while the witness is away, and is cosigned again when it is back", async () => {
  const url = new URL(`${lab.origin}/log/checkpoint`);
  program.kill("SIGSTOP");
  await read(8);
  const bytes = utf8(await (await fetch(url)).text());
  expect(await openCheckpoint(bytes, parseVerifierKey(logKey)!)).toMatchObject({ ok: true });
  program.kill("SIGCONT");
  await read(9);
  await cosigned(10);
});
