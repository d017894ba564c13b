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

test("R1 R3 connector and edge killed, network cut, connector paused, client gone: nothing that ran is unrecorded", {
  timeout: 300_000,
}, async () => {
  const report = await runChaos({
    ms: 1_000,
    seed: 7,
    clients: 3,
    every: 2_000,
    patience: 60_000,
    say: () => {},
  });
  expect(report.faults).toEqual([]);
  expect(Object.keys(report.faultsMade)).toHaveLength(6);
  expect(report.reached).toBeGreaterThan(0);
  expect(report.recorded).toBeGreaterThanOrEqual(report.reached);
});
