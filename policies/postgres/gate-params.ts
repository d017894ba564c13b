/** Bound parameters as they are recorded, bounded in size. */
import { decodeUtf8 } from "../../wire/postgres/cursor.ts";
import { formatOf } from "../../wire/postgres/frontend.ts";
import type { BindMessage } from "../../wire/postgres/messages.ts";
import type { RecordedParam } from "./gate-types.ts";

/** Bytes of one value that are kept in an event; the recording's `frontend` entry has all of it. */
export const MAX_RECORDED_PARAM = 4096;
/** Bytes of all values of one Bind. */
const maxRecordedParams = 64 * 1024;

/** Text as text, binary as base64, longer ones cut with their real length beside. */
export function recordParams(bind: BindMessage): RecordedParam[] {
  let room = maxRecordedParams;
  return bind.parameters.map((value, i) => {
    if (value === null) return null;
    const kept = value.subarray(0, Math.min(value.length, MAX_RECORDED_PARAM, room));
    room -= kept.length;
    const cut = kept.length < value.length ? { length: value.length } : {};
    if (formatOf(bind.parameterFormats, i) === 0) {
      const text = kept.length < value.length ? lenient.decode(kept) : decodeUtf8(kept);
      if (text !== null) return "length" in cut ? { text, ...cut } : text;
    }
    return { base64: toBase64(kept), ...cut };
  });
}

const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true });

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
