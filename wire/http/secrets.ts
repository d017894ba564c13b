/**
 * Text that looks like a credential, masked in streams: logs, exec output, recordings, event messages. A second
 * wall behind field masks, never the only one. Bytes are read as Latin-1, so the length in bytes is kept and no
 * multi-byte character is cut.
 */

const decoder = new TextDecoder("latin1");
/** For a first look, which needs no positions: runtimes read UTF-8 several times faster. */
const words = new TextDecoder();

/** JSON Web Tokens, PEM private keys' bodies, provider tokens with their documented prefixes. */
const shapes: readonly RegExp[] = [
  /eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{30,}\b/g,
  /\bgithub_pat_[A-Za-z0-9_]{40,}\b/g,
  /\bglpat-[A-Za-z0-9_-]{20,}/g,
  /\bxox[abprs]-[A-Za-z0-9-]{20,}/g,
  /\bAKIA[0-9A-Z]{16}\b/g,
  /\bAIza[0-9A-Za-z_-]{35}/g,
  /\bsk_(?:live|test)_[0-9A-Za-z]{16,}/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s]*/g,
];
/** Bytes that every shape is made of; a run of them at the end of a chunk may go on in the next. */
const tokenByte = (byte: number) =>
  (byte >= 0x30 && byte <= 0x39) ||
  (byte >= 0x41 && byte <= 0x5a) ||
  (byte >= 0x61 && byte <= 0x7a) ||
  byte === 0x2d ||
  byte === 0x2e ||
  byte === 0x5f;
const keyByte = (byte: number) =>
  tokenByte(byte) ||
  byte === 0x2b ||
  byte === 0x2f ||
  byte === 0x3d ||
  byte === 0x0a ||
  byte === 0x0d ||
  byte === 0x20;

/** What every shape begins with: text without any of it has no credential, and is not looked at further. */
const candidate = /eyJ|gh[pousr]_|github_pat_|glpat-|xox|AKIA|AIza|sk_(?:live|test)_|-----BEGIN /;
/** The last letters of a text that may go on as a candidate. */
const beginning = new RegExp(
  `(?:${[
    ...["eyJ", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA", "AIza"],
    ...["sk_live_", "sk_test_", "-----BEGIN "],
  ]
    .flatMap((prefix) => Array.from(prefix, (_, i) => prefix.slice(0, i)).slice(1))
    .join("|")})$`,
);
/** Letters of the end that `beginning` needs. */
const LONGEST_PREFIX = 11;
/** Most bytes held back where only the last letters may begin a credential. */
const MAX_TAIL = 64;

/** Longest text held back while it may still become a credential, bytes. */
export const MAX_HELD_TOKEN = 16 * 1024;

/** Masks credentials in a byte stream, however it is cut. Each masked byte becomes "*". */
export class SecretMasker {
  #held: Uint8Array = new Uint8Array(0);
  /** Inside a run that outgrew the hold: its bytes go on as "*". */
  #overlong: ((byte: number) => boolean) | null = null;
  /** How many credentials were masked. */
  masked = 0;
  /** Inside a credential that is masked as it comes. */
  get masking(): boolean {
    return this.#overlong !== null;
  }

  /** The bytes that are safe to pass now. */
  push(chunk: Uint8Array): Uint8Array {
    let data = chunk;
    let stars = 0;
    if (this.#overlong !== null) {
      while (stars < data.length && this.#overlong(data[stars]!)) stars++;
      if (stars < data.length) this.#overlong = null;
      data = data.subarray(stars);
      if (data.length === 0) return new Uint8Array(stars).fill(0x2a);
    }
    data = joined(this.#held, data);
    const text = words.decode(data);
    if (!candidate.test(text)) {
      // Nothing begins in it, so it passes as it is; only its last letters may be the beginning of something.
      const held = beginning.test(text.slice(-LONGEST_PREFIX)) ? tailLength(data) : 0;
      this.#held = data.slice(data.length - held);
      const out = data.subarray(0, data.length - held);
      return stars === 0 ? out : joined(new Uint8Array(stars).fill(0x2a), out);
    }
    const safe = safeLength(data);
    if (data.length - safe > MAX_HELD_TOKEN) {
      this.#overlong = pemStart(data, safe) ? keyByte : tokenByte;
      this.masked += 1;
      this.#held = new Uint8Array(0);
      const out = joined(new Uint8Array(stars).fill(0x2a), this.#mask(data.slice(0, safe)));
      return joined(out, new Uint8Array(data.length - safe).fill(0x2a));
    }
    this.#held = data.slice(safe);
    const out = this.#mask(data.slice(0, safe));
    return stars === 0 ? out : joined(new Uint8Array(stars).fill(0x2a), out);
  }

  /** What was held back, at a pause or the end: masked as it stands. */
  flush(): Uint8Array {
    const out = this.#mask(this.#held);
    this.#held = new Uint8Array(0);
    return out;
  }

  /**
   * What was held back only because its last letters may begin a credential: for terminals, where a typed letter
   * must not wait. Call after a pause.
   */
  flushShort(): Uint8Array {
    if (this.#held.length === 0 || this.#held.length > 11) return new Uint8Array(0);
    const out = this.#held;
    this.#held = new Uint8Array(0);
    return out;
  }

  /** Bytes held back. */
  get held(): number {
    return this.#held.length;
  }

  #mask(bytes: Uint8Array): Uint8Array {
    if (bytes.length < 16) return bytes;
    const text = latin1(bytes);
    for (const shape of shapes) {
      for (const match of text.matchAll(shape)) {
        this.masked += 1;
        bytes.fill(0x2a, match.index, match.index + match[0].length);
      }
    }
    return bytes;
  }
}

/** Masks credentials in a text at once. */
export function maskSecretsInText(text: string): string {
  let out = text;
  for (const shape of shapes) out = out.replace(shape, (found) => "*".repeat(found.length));
  return out;
}

/** How much of the end is one word, bytes: what stands before a credential's first letter decides with it. */
function tailLength(data: Uint8Array): number {
  let run = data.length;
  while (run > 0 && data.length - run < MAX_TAIL && tokenByte(data[run - 1]!)) run--;
  return data.length - run;
}

/** How many bytes of `data` can no longer be part of a credential that goes on behind it. */
function safeLength(data: Uint8Array): number {
  let run = data.length;
  while (run > 0 && tokenByte(data[run - 1]!)) run--;
  // Short words go at once: a prompt must not wait. What may be the beginning of a credential stays.
  const token = begins(latin1(data.subarray(run))) ? run : data.length;
  const from = Math.max(0, data.length - MAX_HELD_TOKEN - 64);
  const text = latin1(data.subarray(from));
  const begin = text.lastIndexOf("-----BEGIN ");
  if (
    begin >= 0 &&
    !/-----END [A-Z ]*PRIVATE KEY-----/.test(text.slice(begin)) &&
    /^-----BEGIN [A-Z ]*(?:-{0,5}$|PRIVATE KEY-----[A-Za-z0-9+/=\s]*(?:-[A-Z -]*)?$)/.test(text.slice(begin))
  ) {
    return Math.min(token, from + begin);
  }
  const dashes = /-{1,5}(?:B(?:E(?:G(?:I(?:N)?)?)?)?)?$/.exec(text);
  return dashes === null ? token : Math.min(token, from + dashes.index);
}

/** Whether a credential may begin anywhere in this run: a whole prefix in it, or the run ends in part of one. */
function begins(run: string): boolean {
  return candidate.test(run) || beginning.test(run.slice(-LONGEST_PREFIX));
}

function pemStart(data: Uint8Array, at: number): boolean {
  return latin1(data.subarray(at, at + 11)) === "-----BEGIN ";
}

/** A character for each byte. Those above 0x7f are other ones than in Latin-1, which no shape has. */
function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
