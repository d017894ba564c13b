/**
 * SHA-256 (FIPS 180-4) without a stream around it: for messages of some hundred bytes the platform's hash objects
 * cost several times the hashing. Longer ones go to the platform.
 */
import { hash } from "node:crypto";

/** Up to this length it is computed here, bytes: the platform is faster beyond. */
const SHORT = 448;

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2). */
const K = new Int32Array(64);
/** Those of the square roots of the first eight (5.3.3). */
const START = new Int32Array(8);
for (let prime = 2, found = 0; found < 64; prime++) {
  let divisor = 2;
  while (divisor * divisor <= prime && prime % divisor !== 0) divisor++;
  if (divisor * divisor <= prime) continue;
  if (found < 8) START[found] = fraction(prime ** (1 / 2));
  K[found++] = fraction(prime ** (1 / 3));
}

function fraction(value: number): number {
  return ((value - Math.floor(value)) * 2 ** 32) | 0;
}

const state = new Int32Array(8);
const schedule = new Int32Array(64);
/** The end of a message with its padding: one block or two. */
const tail = new Uint8Array(128);

/** The hash of the bytes, 32 bytes of its own. */
export function sha256(bytes: Uint8Array): Uint8Array {
  if (bytes.length > SHORT) return hash("sha256", bytes, "buffer");
  state.set(START);
  const { length } = bytes;
  const whole = length - (length % 64);
  for (let at = 0; at < whole; at += 64) block(bytes, at);
  const rest = length - whole;
  for (let i = 0; i < rest; i++) tail[i] = bytes[whole + i]!;
  tail[rest] = 0x80;
  const size = rest < 56 ? 64 : 128;
  tail.fill(0, rest + 1, size - 2);
  // Its length in bits: two bytes are enough for what comes here.
  tail[size - 2] = (length >>> 5) & 0xff;
  tail[size - 1] = (length << 3) & 0xff;
  block(tail, 0);
  if (size === 128) block(tail, 64);
  const digest = new Uint8Array(32);
  for (let i = 0; i < 8; i++) {
    const word = state[i]!;
    digest[4 * i] = word >>> 24;
    digest[4 * i + 1] = word >>> 16;
    digest[4 * i + 2] = word >>> 8;
    digest[4 * i + 3] = word;
  }
  return digest;
}

function block(bytes: Uint8Array, at: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) {
    const from = at + 4 * i;
    w[i] = (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!;
  }
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16]! + low + w[i - 7]! + high) | 0;
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  let f = state[5]!;
  let g = state[6]!;
  let h = state[7]!;
  for (let i = 0; i < 64; i++) {
    const high = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const one = (h + high + (g ^ (e & (f ^ g))) + K[i]! + w[i]!) | 0;
    const low = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const two = (low + ((a & b) ^ (c & (a ^ b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
  state[4] = (state[4]! + e) | 0;
  state[5] = (state[5]! + f) | 0;
  state[6] = (state[6]! + g) | 0;
  state[7] = (state[7]! + h) | 0;
}
