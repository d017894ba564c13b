/**
 * Facts for the recording as `record` messages (wire/tunnel.ts). Of a statement that comes again, its text and its
 * decision are most of the record and the same each time: they are written once.
 */
import type { GateEvent } from "../../policies/postgres/gate.ts";
import { concat } from "../../wire/bytes.ts";
import type { Slab } from "../../wire/slab.ts";
import { encodeControl, recordsSize } from "../../wire/tunnel.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** By its decision, the end of a statement's record, from the text on. */
const ends = new WeakMap<object, { readonly text: string; readonly bytes: Uint8Array }>();

/** One fact as a `record` message, without a line break in it. */
export function recordLine(event: GateEvent, slab: Slab): Uint8Array {
  if (event.t !== "statement") {
    return encoded(
      encodeControl({ t: "record", event: event as unknown as Record<string, unknown> }),
      none,
      slab,
    );
  }
  const { n, protocol, params, at } = event;
  const given = params === undefined ? "" : `,"params":${JSON.stringify(params)}`;
  const start = `{"t":"record","event":{"t":"statement","n":${n},"protocol":"${protocol}","at":${at}${given}`;
  return encoded(start, endOf(event), slab);
}

const none = new Uint8Array(0);

/** The text in UTF-8 and these bytes after it. Short texts without other characters are quicker written here. */
function encoded(text: string, end: Uint8Array, slab: Slab): Uint8Array {
  const line = slab.take(text.length + end.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return concat([encoder.encode(text), end]);
    line[i] = code;
  }
  line.set(end, text.length);
  return line;
}

function endOf({ text, decision }: Extract<GateEvent, { t: "statement" }>): Uint8Array {
  const known = ends.get(decision);
  if (known?.text === text) return known.bytes;
  const bytes = encoder.encode(`,"text":${JSON.stringify(text)},"decision":${JSON.stringify(decision)}}}`);
  ends.set(decision, { text, bytes });
  return bytes;
}

/** Records that leave together, and the newest statement among them; 0 for none. */
export class Records {
  readonly lines: readonly Uint8Array[];
  readonly newest: number;
  /** Bytes, as lines of one message. */
  readonly size: number;

  constructor(lines: readonly Uint8Array[], newest: number) {
    this.lines = lines;
    this.newest = newest;
    this.size = recordsSize(lines);
  }

  /** As one message of its own. */
  get text(): string {
    return this.lines.map((line) => decoder.decode(line)).join("\n");
  }
}
