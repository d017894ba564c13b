/**
 * What the verifier says of recordings that went through faults: a crash is no forgery. Each that broke off, and some of
 * the others, is exported and verified with the keys of the log and of the connector; none may fail.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBundleFile } from "../../client/recording/bundle.ts";
import { type EdgeApi, edgeApi } from "../../client/recording/edge.ts";
import { exportRecording } from "../../client/recording/export.ts";
import { trustedKeys } from "../../client/recording/proven-entries.ts";
import { type Verdict, verifyRecording } from "../../client/recording/verify.ts";
import type { RecordingState } from "../../wire/recording-end.ts";
import type { Parts } from "./parts.ts";

export interface Verdicts {
  readonly verified: number;
  /** Recordings with a stated gap. */
  readonly gaps: number;
  readonly faults: readonly string[];
}

/** States of the list that fit what the verifier says of completeness. */
const STATES: Readonly<Record<Verdict, readonly RecordingState[]>> = {
  PASS: ["final", "beyond"],
  "GAP STATED": ["gap"],
  "NOT CHECKED": ["unchecked"],
  FAIL: ["differs"],
};
/** How long the list may be behind, milliseconds. */
const BEHIND_MS = 10_000;

async function listedAs(
  api: EdgeApi,
  id: string,
  wanted: readonly RecordingState[],
): Promise<RecordingState> {
  for (const end = Date.now() + BEHIND_MS; ; ) {
    const { recording } = (await api.json(`/api/sessions/${id}`)) as { recording: RecordingState };
    if (wanted.includes(recording) || Date.now() > end) return recording;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Verifies these recordings, which have their ends, as a person with the exported bundle would. */
export async function verdicts(parts: Parts, sessions: readonly string[]): Promise<Verdicts> {
  const folder = mkdtempSync(join(tmpdir(), "wicket-verdicts-"));
  const token = await parts.token("ada");
  const api = edgeApi(parts.origin, () => token);
  const log = (await (await fetch(`${parts.origin}/log/key`)).text()).trim();
  const trusted = trustedKeys([log, parts.connectorKey()]);
  if (!trusted.ok) throw new Error(`${trusted.bad} is not a public key`);
  const faults: string[] = [];
  let gaps = 0;
  try {
    for (const id of sessions) {
      const path = join(folder, `${id}.zip`);
      await exportRecording(api, id, path, Date.now());
      const { bundle, close } = openBundleFile(path);
      const report = await verifyRecording(bundle, trusted.keys);
      close();
      rmSync(path);
      // The list says it in the same words, as soon as it was told.
      const said = report.checks.find((one) => one.property === "completeness")?.verdict ?? "NOT CHECKED";
      const listed = await listedAs(api, id, STATES[said]);
      if (!STATES[said].includes(listed))
        faults.push(`${id} is listed as ${listed}, and verified as ${said}`);
      for (const { property, verdict, detail } of report.checks) {
        if (verdict === "FAIL") faults.push(`the verifier says of ${id}: ${property}: ${detail}`);
        else if (verdict === "GAP STATED") gaps += 1;
      }
    }
    const alarms = (await api.json("/api/audit?reason=RECORDING_MISMATCH")) as {
      events: { session?: string }[];
    };
    for (const { session } of alarms.events) faults.push(`the edge took a crash of ${session} for a forgery`);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { verified: sessions.length, gaps, faults };
}
