/** Times that people type into filters. */

/** A time as `<input type="datetime-local">` sends it, or RFC 3339, read as UTC; ms, or null when it is none. */
export function timeFrom(text: string | undefined): number | null {
  if (!text) return null;
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(
    text.trim(),
  );
  if (!match) return null;
  const ms = Date.parse(`${match[1]}T${match[2] ?? "00:00"}${match[3] ?? "Z"}`);
  return Number.isNaN(ms) ? null : ms;
}
