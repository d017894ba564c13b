/**
 * The one reading of a request path. The same bytes mean different things to a cleaning proxy, to the WHATWG URL
 * parser and to Go's `net/http`; so a path is decoded once, anything that two parsers could read differently is
 * refused, and what goes upstream is built anew from the decoded segments.
 */

/** Longest path, characters. */
export const MAX_PATH = 4096;
/** Most segments. */
export const MAX_SEGMENTS = 64;

/** Decoded segments, or a sentence on what is odd. */
export type PathReading =
  | { readonly ok: true; readonly segments: readonly string[] }
  | { readonly ok: false; readonly message: string };

const hex = /^[0-9A-Fa-f]{2}$/;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Reads a path as `URL.pathname` gives it (percent-encoded, begins with "/"). The empty path and "/" have no
 * segments. One trailing slash is an error: servers differ on it.
 */
export function readPath(pathname: string): PathReading {
  if (pathname.length > MAX_PATH) return odd(`the path is longer than ${MAX_PATH} characters`);
  if (pathname === "" || pathname === "/") return { ok: true, segments: [] };
  if (!pathname.startsWith("/")) return odd("the path does not begin with a slash");
  const parts = pathname.slice(1).split("/");
  if (parts.length > MAX_SEGMENTS) return odd(`the path has more than ${MAX_SEGMENTS} segments`);
  const segments: string[] = [];
  for (const part of parts) {
    if (part === "") return odd("the path has an empty segment (// or a slash at the end)");
    const decoded = percentDecode(part);
    if (decoded === null) return odd("the path has a broken percent-encoding");
    const fault = segmentFault(decoded);
    if (fault !== null) return odd(fault);
    segments.push(decoded);
  }
  return { ok: true, segments };
}

/** The path for upstream: "/" and each segment, encoded as RFC 3986 `pchar`. */
export function writePath(segments: readonly string[]): string {
  return `/${segments.map(encodeSegment).join("/")}`;
}

/**
 * One segment, percent-encoded. Only unreserved characters and ":" "@" stay, so that no server sees a
 * sub-delimiter with a meaning of its own (`;` parameters, `+` as space).
 */
export function encodeSegment(segment: string): string {
  return encodeURIComponent(segment)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%3A", ":")
    .replaceAll("%40", "@");
}

/** Decodes %XX once, as strict UTF-8; null when it is broken. "+" stays "+". */
export function percentDecode(text: string): string | null {
  if (!text.includes("%")) return text.isWellFormed() ? text : null;
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "%") {
      const pair = text.slice(i + 1, i + 3);
      if (!hex.test(pair)) return null;
      bytes.push(Number.parseInt(pair, 16));
      i += 2;
      continue;
    }
    const point = text.codePointAt(i)!;
    const character = String.fromCodePoint(point);
    if (!character.isWellFormed()) return null;
    for (const byte of encoder.encode(character)) bytes.push(byte);
    if (point > 0xffff) i++;
  }
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    return null;
  }
}

/** Null, or what makes a decoded segment mean different things to different servers. */
export function segmentFault(segment: string): string | null {
  if (segment === "." || segment === "..") return "the path has a dot segment";
  if (/[/\\]/.test(segment)) return "the path has an encoded slash or a backslash inside a segment";
  if (segment.includes("%")) return "the path has an encoded percent sign";
  if (segment.includes(";")) return "the path has a semicolon";
  if (/[\u0000-\u001f\u007f-\u009f]/.test(segment)) return "the path has a control character";
  if (segment.endsWith(".") && /^\.+$/.test(segment)) return "the path has a dot segment";
  return null;
}

function odd(message: string): PathReading {
  return { ok: false, message };
}
