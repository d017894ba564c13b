/**
 * SPDY/3.1 as `kubectl port-forward` speaks it, inside `SPDY/3.1+portforward.k8s.io` WebSocket messages or after an
 * `Upgrade: SPDY/3.1`: a byte stream of frames. Only SYN_STREAM carries something to decide: the port of a pair of
 * streams, in a compressed header block (SPDY Protocol Draft 3.1; k8s.io/client-go tools/portforward).
 */
import { HeaderInflater } from "./inflate.ts";

/** Largest control frame that is read, bytes; port-forward headers are under 200. */
export const MAX_CONTROL = 8 * 1024;
/** Largest inflated header block, bytes. */
export const MAX_HEADERS = 4 * 1024;
/** Most streams that one session may open, over its whole life. */
export const MAX_STREAMS = 100_000;

export const SYN_STREAM = 1;
export const SYN_REPLY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const HEADERS = 8;
export const WINDOW_UPDATE = 9;

/** What a port-forward client asks for with a SYN_STREAM. */
export interface ForwardStream {
  readonly streamId: number;
  readonly type: "data" | "error";
  readonly port: number;
  readonly requestId: string;
}

export type SpdyFault = "SPDY_MALFORMED" | "SPDY_NOT_ALLOWED" | "SPDY_TOO_LARGE";

const clientFrames: readonly number[] = [SYN_STREAM, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE];

/**
 * Reads the client's side of a port-forward. `open` is asked for each new stream before its frame passes.
 * Data passes as it comes; only control frames are held until they are whole.
 */
export class ForwardReader {
  readonly #open: (stream: ForwardStream) => boolean;
  readonly #headers = new HeaderInflater(spdyDictionary(), MAX_HEADERS);
  #held: Uint8Array = new Uint8Array(0);
  /** Bytes of a data frame that still pass. */
  #passing = 0;
  #lastStream = 0;
  #streams = 0;
  #fault: SpdyFault | null = null;

  /** `open` returns false to refuse a stream; the session must end then. */
  constructor(open: (stream: ForwardStream) => boolean) {
    this.#open = open;
  }

  /** The bytes that may go to the server, or why the session must end: what came before may still go. */
  push(chunk: Uint8Array): { readonly bytes: readonly Uint8Array[]; readonly fault: SpdyFault | null } {
    const bytes: Uint8Array[] = [];
    let data = chunk;
    if (this.#held.length > 0) {
      data = new Uint8Array(this.#held.length + chunk.length);
      data.set(this.#held);
      data.set(chunk, this.#held.length);
      this.#held = new Uint8Array(0);
    }
    while (this.#fault === null && data.length > 0) {
      if (this.#passing > 0) {
        const part = data.subarray(0, this.#passing);
        this.#passing -= part.length;
        bytes.push(part);
        data = data.subarray(part.length);
        continue;
      }
      if (data.length < 8) break;
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      const head = view.getUint32(0);
      const length = view.getUint32(4) & 0xffffff;
      if (head >>> 31 === 0) {
        const stream = head & 0x7fffffff;
        if (stream === 0 || stream > this.#lastStream) this.#fault = "SPDY_MALFORMED";
        else this.#passing = 8 + length;
        continue;
      }
      if (length > MAX_CONTROL) {
        this.#fault = "SPDY_TOO_LARGE";
        continue;
      }
      if (data.length < 8 + length) break;
      const frame = data.subarray(0, 8 + length);
      data = data.subarray(8 + length);
      this.#fault = this.#control((head >>> 16) & 0x7fff, head & 0xffff, frame);
      if (this.#fault === null) bytes.push(frame);
    }
    if (this.#fault === null) this.#held = data.slice();
    return { bytes, fault: this.#fault };
  }

  #control(version: number, type: number, frame: Uint8Array): SpdyFault | null {
    if (version !== 3) return "SPDY_MALFORMED";
    if (!clientFrames.includes(type)) return "SPDY_NOT_ALLOWED";
    if (type !== SYN_STREAM) return null;
    if (frame.length < 18) return "SPDY_MALFORMED";
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const streamId = view.getUint32(8) & 0x7fffffff;
    if (streamId % 2 === 0 || streamId <= this.#lastStream) return "SPDY_MALFORMED";
    if (++this.#streams > MAX_STREAMS) return "SPDY_TOO_LARGE";
    this.#lastStream = streamId;
    const block = this.#headers.block(frame.subarray(18));
    const headers = block === null ? null : readHeaderBlock(block);
    if (headers === null) return "SPDY_MALFORMED";
    const stream = forwardStream(streamId, headers);
    if (stream === null) return "SPDY_MALFORMED";
    return this.#open(stream) ? null : "SPDY_NOT_ALLOWED";
  }
}

/** Names and values of an inflated header block; null when malformed or a name comes twice. */
export function readHeaderBlock(block: Uint8Array): ReadonlyMap<string, string> | null {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const decoder = new TextDecoder();
  let at = 0;
  const text = (): string | null => {
    if (at + 4 > block.length) return null;
    const length = view.getUint32(at);
    at += 4;
    if (at + length > block.length) return null;
    at += length;
    return decoder.decode(block.subarray(at - length, at));
  };
  if (block.length < 4) return null;
  const count = view.getUint32(0);
  at = 4;
  if (count > 64) return null;
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const name = text();
    const value = text();
    if (name === null || value === null || headers.has(name)) return null;
    headers.set(name, value);
  }
  return at === block.length ? headers : null;
}

function forwardStream(streamId: number, headers: ReadonlyMap<string, string>): ForwardStream | null {
  for (const name of headers.keys()) if (!["streamtype", "port", "requestid"].includes(name)) return null;
  const type = headers.get("streamtype");
  const port = headers.get("port") ?? "";
  const requestId = headers.get("requestid") ?? "";
  if ((type !== "data" && type !== "error") || !/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65535)
    return null;
  return /^[0-9]{1,18}$/.test(requestId) ? { streamId, type, port: Number(port), requestId } : null;
}

/** The preset dictionary of SPDY/3 header blocks: each word with its length, then a run of common text. */
export function spdyDictionary(): Uint8Array {
  const encoder = new TextEncoder();
  const run = encoder.encode(commonText);
  const parts = words.map((word) => encoder.encode(word));
  const dictionary = new Uint8Array(parts.reduce((sum, part) => sum + 4 + part.length, run.length));
  const view = new DataView(dictionary.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length);
    dictionary.set(part, at + 4);
    at += 4 + part.length;
  }
  dictionary.set(run, at);
  return dictionary;
}

const words =
  "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|accept-ranges|age|allow|authorization|cache-control|connection|content-base|content-encoding|content-language|content-length|content-location|content-md5|content-range|content-type|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|method|get|status|200 OK|version|HTTP/1.1|url|public|set-cookie|keep-alive|origin".split(
    "|",
  );
const commonText =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
