/**
 * Fetches one JSON document of an identity provider: to an allowed address only, without following
 * redirects, within a time and a size.
 */
import { mayFetch } from "./issuers.ts";

export type FetchedJson =
  | { readonly ok: true; readonly json: unknown }
  | { readonly ok: false; readonly why: string };

export interface FetchLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export const PROVIDER_LIMITS: FetchLimits = { timeoutMs: 5_000, maxBytes: 256 * 1024 };

/** Fetches `url` for the sake of `issuer`; never throws. */
export async function fetchJson(
  url: string,
  issuer: string,
  init: RequestInit = {},
  limits: FetchLimits = PROVIDER_LIMITS,
): Promise<FetchedJson> {
  if (!mayFetch(url, issuer)) return { ok: false, why: "address not allowed" };
  try {
    const headers = new Headers(init.headers);
    headers.set("accept", "application/json");
    const response = await fetch(url, {
      ...init,
      headers,
      redirect: "manual",
      signal: AbortSignal.timeout(limits.timeoutMs),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      return { ok: false, why: `answered ${response.status}` };
    }
    const text = await readBounded(response, limits.maxBytes);
    if (text === null) return { ok: false, why: `answered more than ${limits.maxBytes} bytes` };
    return { ok: true, json: JSON.parse(text) };
  } catch (cause) {
    return { ok: false, why: cause instanceof Error ? `${cause.name}: ${cause.message}` : "failed" };
  }
}

/** The body as text; null when it is longer than `maxBytes` (then the rest is not read). */
export async function readBounded(message: Request | Response, maxBytes: number): Promise<string | null> {
  if (!message.body) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let text = "";
  let size = 0;
  for await (const chunk of message.body as ReadableStream<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) return null;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
