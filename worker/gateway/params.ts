/** A task's parameters in a header: `customer=7&since=2026-01-01`, form-urlencoded. */

/** Longest header, characters. */
const MAX_LENGTH = 8 * 1024;
const MAX_COUNT = 64;

export type ParamsReading =
  | { readonly ok: true; readonly params: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly message: string };

/** Reads the header; absent means no parameters. A name that comes twice is refused, not chosen from. */
export function paramsFrom(header: string | null): ParamsReading {
  if (header === null || header === "") return { ok: true, params: {} };
  if (header.length > MAX_LENGTH)
    return { ok: false, message: `more than ${MAX_LENGTH} characters of parameters` };
  const entries = [...new URLSearchParams(header)];
  if (entries.length > MAX_COUNT) return { ok: false, message: `more than ${MAX_COUNT} parameters` };
  const names = new Set(entries.map(([name]) => name));
  if (names.size !== entries.length) return { ok: false, message: "a parameter is given twice" };
  if (names.has("") || !entries.every(([, value]) => value.isWellFormed() && !value.includes("\ufffd"))) {
    return { ok: false, message: "the parameters are not form-urlencoded UTF-8" };
  }
  return { ok: true, params: Object.fromEntries(entries) };
}
