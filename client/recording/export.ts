/** Fetches a recording with its proofs from the edge into one bundle. */
import { createHash } from "node:crypto";
import { unlinkSync } from "node:fs";
import { fromBase64, utf8 } from "../../wire/log/bytes.ts";
import { isSealed, MAX_STORED } from "../../wire/recording.ts";
import { type AuditorKey, openSegment } from "../../wire/recording-seal.ts";
import { BUNDLE_README, logFile, type Manifest, openedFile, segmentFile } from "./bundle.ts";
import type { EdgeApi } from "./edge.ts";
import { ZipWriter } from "./zip.ts";

/** `GET /api/sessions/:id/recording`. */
interface SegmentList {
  readonly segments: readonly { readonly sequence: number; readonly size: number; readonly digest: string }[];
}

/** `GET /api/sessions/:id/recording/proof`. */
interface ProofDocument {
  readonly key: string;
  readonly entries: readonly {
    readonly index: number;
    readonly type: string;
    readonly entry: string;
    readonly proof: string;
  }[];
  readonly task: Record<string, unknown> | null;
}

export interface Exported {
  readonly segments: number;
  readonly bytes: number;
  readonly entries: number;
  /** It is sealed to auditors. */
  readonly sealed: boolean;
  /** Segments of which the bundle has an opened copy. */
  readonly opened: number;
  /** The log's key as the edge names it: a hint, to be compared with the one that is trusted. */
  readonly key: string;
}

/**
 * Writes the bundle of a session to a new file. Throws when the edge refuses, a segment is not what the edge
 * says it is, or the file exists; a half-written file is taken away. With an auditor's key a sealed recording is in it
 * twice: as it is stored, and opened; it throws when the key does not open it.
 */
export async function exportRecording(
  api: EdgeApi,
  session: string,
  path: string,
  now: number,
  auditor: AuditorKey | null = null,
): Promise<Exported> {
  const base = `/api/sessions/${encodeURIComponent(session)}/recording`;
  const list = (await api.json(base)) as SegmentList;
  const proofs = (await api.json(`${base}/proof`)) as ProofDocument;
  const manifest: Manifest = {
    v: 1,
    format: "wicketgate.recording",
    session,
    exported: now,
    segments: list.segments,
    entries: proofs.entries.map(({ index, type }) => ({ index, type })),
    keys: [proofs.key],
  };
  const zip = new ZipWriter(path);
  let bytes = 0;
  let opened = 0;
  let sealed = false;
  try {
    zip.add("README.txt", utf8(BUNDLE_README));
    zip.add("manifest.json", utf8(`${JSON.stringify(manifest, null, 1)}\n`));
    if (proofs.task) zip.add("task.json", utf8(JSON.stringify(proofs.task)));
    for (const { index, entry, proof } of proofs.entries) {
      const content = fromBase64(entry);
      if (!content) throw new Error(`entry ${index} of the log did not arrive whole`);
      zip.add(logFile(index, "entry"), content);
      zip.add(logFile(index, "tlog-proof"), utf8(proof));
    }
    for (const { sequence, digest } of list.segments) {
      const segment = await api.bytes(`${base}/${sequence}`, MAX_STORED);
      if (createHash("sha256").update(segment).digest("hex") !== digest) {
        throw new Error(`segment ${sequence} did not arrive whole`);
      }
      zip.add(segmentFile(sequence), segment);
      bytes += segment.length;
      if (!isSealed(segment)) continue;
      sealed = true;
      if (!auditor) continue;
      const plain = await openSegment(segment, auditor);
      if (!plain.ok) throw new Error(`segment ${sequence} ${plain.message}`);
      zip.add(openedFile(sequence), plain.bytes);
      opened += 1;
    }
    zip.finish();
  } catch (error) {
    zip.abandon();
    unlinkSync(path);
    throw error;
  }
  const segments = list.segments.length;
  return { segments, bytes, entries: proofs.entries.length, sealed, opened, key: proofs.key };
}
