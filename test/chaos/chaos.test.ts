/** A short run of `npm run chaos`: each fault once, under load, and the proof; and the proof itself. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runChaos, seeded } from "./chaos.ts";
import { lacking, readStatementLog } from "./proof.ts";

test("the statement log is read by session, and what a recording lacks is found", () => {
  const folder = mkdtempSync(join(tmpdir(), "wicket-chaos-"));
  const path = join(folder, "log");
  writeFileSync(
    path,
    [
      "wicket/one\tLOG:  statement: select 'chaos-1' as tag",
      "psql\tLOG:  statement: select 'chaos-9' as tag",
      "wicket/two\tLOG:  execute <unnamed>: select 'chaos-2' as tag, id from x where id = $1",
      "wicket/one\tERROR:  no 'chaos-8'",
      "wicket/one\tLOG:  statement: select 'chaos-3' as tag",
    ].join("\n"),
  );
  expect([...readStatementLog(path)]).toEqual([
    ["one", ["chaos-1", "chaos-3"]],
    ["two", ["chaos-2"]],
  ]);
  rmSync(folder, { recursive: true });
  expect(lacking(["a", "b"], ["a", "x", "b"])).toEqual([]);
  expect(lacking(["a", "b", "c"], ["a", "c"])).toEqual(["b"]);
  expect(lacking(["a", "b"], ["b", "a"])).toEqual(["b"]);
  expect([seeded(7)(), seeded(7)()]).toEqual([seeded(7)(), seeded(7)()]);
});

test("R1 R3 R9 parts killed, network cut, R2, disk and clock failing: nothing that ran is unrecorded", {
  timeout: 300_000,
}, async () => {
  // `both killed` is left to the long run; the connector comes last, so that what the disk did not take is closed at once.
  const kinds = [
    ...["client gone", "R2 fails", "R2 hangs", "network cut", "disk slow", "clock back", "connector paused"],
    ...["R2's answers are lost or cut", "disk full", "edge killed", "connector killed"],
  ];
  const options = { ms: 0, seed: 7, clients: 3, every: 300, load: 12, pace: 0.2, patience: 60_000, kinds };
  const report = await runChaos({ ...options, say: () => {} });
  expect(report.faults).toEqual([]);
  // A crash is no forgery: the verifier was asked about all recordings that broke off.
  expect(report.verified).toBeGreaterThan(0);
  expect(Object.keys(report.faultsMade).sort()).toEqual([...kinds].sort());
  // That they were faults: something failed of them.
  const { RECORDING_FAILED = 0, SPOOL_FULL = 0 } = report.ends;
  expect(report.storeFaults + RECORDING_FAILED + SPOOL_FULL).toBeGreaterThan(0);
  // Each of them hit sessions at work.
  expect(report.answered).toBeGreaterThan(12 * kinds.length);
  expect(report.reached).toBeGreaterThanOrEqual(report.answered);
  expect(report.recorded).toBeGreaterThanOrEqual(report.reached);
});
