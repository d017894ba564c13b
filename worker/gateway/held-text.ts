/** A request as the people see it who must say yes to it: with its body, since that is what they allow. */
import { SecretMasker } from "../../wire/http/secrets.ts";

/** Longest body that is shown, characters. What is bound is all of it. */
const MAX_SHOWN = 4096;

/** `confidential`: the body holds values that approvers must not see either. */
export function heldText(text: string, body: Uint8Array | null, confidential: boolean): string {
  if (body === null || body.length === 0) return text;
  const size = `body of ${body.length} bytes`;
  if (confidential) return `${text}\n\n(${size}, not shown: it holds secret values)`;
  const masker = new SecretMasker();
  const shown = [masker.push(body), masker.flush()];
  let words: string;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    words = decoder.decode(shown[0], { stream: true }) + decoder.decode(shown[1]);
  } catch {
    return `${text}\n\n(${size}, not text)`;
  }
  if (words.includes("\0")) return `${text}\n\n(${size}, not text)`;
  if (words.length <= MAX_SHOWN) return `${text}\n\n${words}`;
  return `${text}\n\n${words.slice(0, MAX_SHOWN)}\n(the first ${MAX_SHOWN} characters of a ${size})`;
}
