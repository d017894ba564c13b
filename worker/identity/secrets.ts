/** Random secrets (cookies, codes, refresh tokens) and the hashes that are kept of them. */
import { base64url } from "jose";

/** 256 random bits, base64url. */
export function newSecret(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(32)));
}

/** SHA-256 of a secret or verifier, base64url (for a PKCE verifier: its S256 challenge, RFC 7636). */
export async function hashOf(secret: string): Promise<string> {
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret))),
  );
}

const USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

/** A code for a person to type: 8 of 20 letters, no vowels (RFC 8628, section 6.1), as `BCDF-GHJK`. */
export function newUserCode(): string {
  let code = "";
  while (code.length < 8) {
    const [byte] = crypto.getRandomValues(new Uint8Array(1));
    // 240 is the largest multiple of 20 in a byte: above it letters would not be equally likely.
    if (byte! < 240) code += USER_CODE_LETTERS[byte! % 20];
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** What a person typed, in the form that is stored; null when it cannot be a user code. */
export function userCodeFrom(text: string): string | null {
  const letters = text.toUpperCase().replace(/[^A-Z]/g, "");
  if (letters.length !== 8 || [...letters].some((letter) => !USER_CODE_LETTERS.includes(letter))) return null;
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}
