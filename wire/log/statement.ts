/**
 * A connector's statement about a recording that it finished: a signed note (`note.ts`) over the final roots,
 * the number of segments and the digest of the last one. The log's `session.end` entry carries the edge's own
 * roots of the same stream, so that two parties vouch for it with two keys.
 *
 * The text is five lines; the first keeps it apart from everything else that the key signs:
 *
 *     wicketgate recording v1
 *     <session>
 *     frontend <entries> <root>
 *     backend <entries> <root>
 *     segments <count> <SHA-256 of the last one>
 *
 * Roots and digests are 64 lower-case hexadecimal digits.
 */
import { fromUtf8, parseCount } from "./bytes.ts";
import type { RecordingRoots } from "./entry.ts";
import {
  formatNote,
  NOTE_ED25519,
  type NoteSigner,
  type NoteVerifier,
  noteVerifier,
  openNote,
  signNote,
} from "./note.ts";

/** What a connector states. */
export interface RecordingStatement {
  readonly session: string;
  readonly roots: RecordingRoots;
  readonly segments: number;
  /** SHA-256 of the last segment's bytes, hexadecimal. */
  readonly last: string;
}

export type OpenedStatement =
  | { readonly ok: true; readonly statement: RecordingStatement }
  | { readonly ok: false; readonly code: string; readonly message: string };

const HEADER = "wicketgate recording v1";
const DIGEST = /^[0-9a-f]{64}$/;

const KEY_NAME = "wicketgate/connector/";

/** The name of a connector's key in notes. */
export function connectorKeyName(connector: string): string {
  return `${KEY_NAME}${encodeURIComponent(connector)}`;
}

/** Whether a key is a connector's, by its name: no log and no witness is called so. */
export function isConnectorKeyName(name: string): boolean {
  return name.startsWith(KEY_NAME);
}

/** The verifier of a connector's statements from its raw 32-byte public key; null for a bad key. */
export function connectorVerifier(connector: string, publicKey: Uint8Array): NoteVerifier | null {
  return noteVerifier(connectorKeyName(connector), NOTE_ED25519, publicKey);
}

/** The statement's text, or null when a part is not of its form. */
export function formatStatement(statement: RecordingStatement): string | null {
  const { session, roots, segments, last } = statement;
  const line = (name: "frontend" | "backend") => `${name} ${roots[name].entries} ${roots[name].root}`;
  const text = `${HEADER}\n${session}\n${line("frontend")}\n${line("backend")}\nsegments ${segments} ${last}\n`;
  return parseStatement(text)?.session === session ? text : null;
}

/** What a statement's text says, or null. Verify its note first: `openStatement`. */
export function parseStatement(text: string): RecordingStatement | null {
  const lines = text.split("\n");
  if (lines.length !== 6 || lines[0] !== HEADER || lines[5] !== "") return null;
  const session = lines[1]!;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(session)) return null;
  const counted = (line: string, name: string) => {
    const [head, count, digest, ...more] = line.split(" ");
    const entries = count === undefined ? null : parseCount(count);
    if (head !== name || entries === null || !digest || !DIGEST.test(digest) || more.length > 0) return null;
    return { entries, root: digest };
  };
  const frontend = counted(lines[2]!, "frontend");
  const backend = counted(lines[3]!, "backend");
  const stored = counted(lines[4]!, "segments");
  if (!frontend || !backend || !stored) return null;
  return { session, roots: { frontend, backend }, segments: stored.entries, last: stored.root };
}

/** The signed note, as text. Null when a part is not of its form. */
export async function signStatement(
  statement: RecordingStatement,
  signer: NoteSigner,
): Promise<string | null> {
  const text = formatStatement(statement);
  const bytes = text === null ? null : formatNote(text, [await signNote(text, signer)]);
  return bytes && fromUtf8(bytes);
}

/** Verifies a statement by the connector's key. */
export async function openStatement(note: Uint8Array, connector: NoteVerifier): Promise<OpenedStatement> {
  const opened = await openNote(note, [connector]);
  if (!opened.ok) return opened;
  const statement = parseStatement(opened.text);
  if (!statement) return { ok: false, code: "STATEMENT_MALFORMED", message: "not a recording's statement" };
  return { ok: true, statement };
}
