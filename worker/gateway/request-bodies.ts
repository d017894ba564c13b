/** Bodies on their way into the recording: as far as they are kept, with what looks like a credential masked. */
import { SecretMasker } from "../../wire/http/secrets.ts";
import type { RequestHost, SentBody } from "./requests.ts";

/** Most of a body that is kept, bytes. */
export const MAX_KEPT = 256 * 1024;

/** Keeps what a request sent; call it before its statement is recorded. `bytes`: redacted, or null and why. */
export function keepAsked(
  host: RequestHost,
  n: number,
  size: number,
  { bytes, left }: { readonly bytes: Uint8Array | null; readonly left: SentBody["left"] },
): { readonly body: SentBody; keep(): void } | null {
  if (size === 0) return null;
  if (bytes === null) return { body: { bytes: size, left }, keep: () => {} };
  if (!isText(bytes)) return { body: { bytes: size, left: "binary" }, keep: () => {} };
  const masker = new SecretMasker();
  const shown = [masker.push(bytes.slice(0, MAX_KEPT)), masker.flush()];
  return {
    body: { bytes: size, left: bytes.length > MAX_KEPT ? "cut" : null },
    keep: () => {
      for (const part of shown) if (part.length > 0) host.keep({ kind: "asked", n, ms: 0, bytes: part });
    },
  };
}

function isText(bytes: Uint8Array): boolean {
  try {
    return !new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes).includes("\0");
  } catch {
    return false;
  }
}

/** Keeps what was answered, as it was shown, up to `MAX_KEPT` bytes. */
export class AnswerKeeper {
  readonly #host: RequestHost;
  readonly #n: number;
  /** When the statement began, milliseconds since the epoch. */
  readonly #at: number;
  readonly #masker = new SecretMasker();
  #room = MAX_KEPT;

  constructor(host: RequestHost, n: number, at: number) {
    this.#host = host;
    this.#n = n;
    this.#at = at;
  }

  take(shown: Uint8Array): void {
    if (this.#room === 0 || shown.length === 0) return;
    const part = shown.length > this.#room ? shown.subarray(0, this.#room) : shown;
    this.#room -= part.length;
    this.#keep(this.#masker.push(part));
    if (this.#room === 0) this.end();
  }

  /** Keeps what was held back. */
  end(): void {
    this.#keep(this.#masker.flush());
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const ms = this.#host.now() - this.#at;
    this.#host.keep({ kind: "answered", n: this.#n, ms, bytes });
  }
}

/** Whether an answer of an HTTP API is text, which its recording can show. */
export function isTextType(contentType: string | null): boolean {
  const media = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  return /^text\/|[/+](json|xml|yaml|x-ndjson|jsonl|x-www-form-urlencoded|graphql)$/.test(media);
}
