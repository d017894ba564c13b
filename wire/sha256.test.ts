import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { sha256 } from "./sha256.ts";

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

test("the examples of FIPS 180-4", () => {
  const of = (text: string) => hex(sha256(new TextEncoder().encode(text)));
  expect(of("")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect(of("abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).toBe(
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  );
});

test("every length around the blocks and around the platform's share gives what the platform gives", () => {
  const bytes = Uint8Array.from({ length: 2200 }, (_, i) => (i * 131) & 0xff);
  for (let length = 0; length <= 2200; length += length < 300 || length > 1980 ? 1 : 37) {
    const part = bytes.subarray(0, length);
    expect(hex(sha256(part)), `${length}`).toBe(createHash("sha256").update(part).digest("hex"));
  }
});

test("any bytes, as a view of larger ones too", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat(8), (bytes, from) => {
      const part = bytes.subarray(Math.min(from, bytes.length));
      expect(hex(sha256(part))).toBe(createHash("sha256").update(part).digest("hex"));
    }),
  );
});
