/** What a recording's bundle needs of the edge besides the segments. */
import { toBase64 } from "../../wire/log/bytes.ts";
import { decodeEntry } from "../../wire/log/entry.ts";
import { findTask } from "../bundle.ts";
import { theLog } from "./routes.ts";
import type { LogObject } from "./sequencer.ts";

/** `GET /api/sessions/:id/recording/proof`. */
export interface ProofDocument {
  /** The log's vkey. A hint: whoever verifies takes the key from elsewhere. */
  readonly key: string;
  readonly entries: readonly {
    readonly index: number;
    readonly type: string;
    /** Base 64 of the entry's bytes. */
    readonly entry: string;
    /** C2SP tlog-proof, with a signed checkpoint. */
    readonly proof: string;
  }[];
  /** The task that the session ran, without its digest; null when the policies have another by now. */
  readonly task: object | null;
}

/** Entries that prove a recording. Who read it is not the reader's business. */
const proving: ReadonlySet<string> = new Set([
  ...["session.start", "session.progress", "session.end", "recording.complete"],
]);

/** Proofs of the session's entries, under the newest checkpoint. */
export async function proofDocument(
  env: { readonly LOG: DurableObjectNamespace<LogObject> },
  session: string,
): Promise<
  | { readonly ok: true; readonly document: ProofDocument }
  | { readonly ok: false; readonly code: string; readonly message: string }
> {
  const log = theLog(env);
  const [proofs, key] = [await log.proofsOf(session, [...proving]), await log.verifierKey()];
  const entries: ProofDocument["entries"][number][] = [];
  let task: object | null = null;
  for (const proven of proofs) {
    if (!proven.ok) return proven;
    const decoded = decodeEntry(proven.entry);
    if (!decoded.ok) return decoded;
    const { entry } = decoded;
    if (entry.type === "session.start") task = taskOf(entry.task);
    entries.push({
      ...{ index: proven.index, type: entry.type, entry: toBase64(proven.entry), proof: proven.proof },
    });
  }
  return { ok: true, document: { key, entries, task } };
}

function taskOf({ name, digest }: { name: string; digest: string }): object | null {
  const task = findTask(name);
  if (task?.digest !== digest) return null;
  const { digest: _, ...body } = task;
  return body;
}
