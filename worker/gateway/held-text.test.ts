import { expect, test } from "vitest";
import { heldText } from "./held-text.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("who must say yes to a request sees its body", () => {
  expect(heldText("DELETE /x", null, false)).toBe("DELETE /x");
  expect(heldText("PATCH /x", bytes('{"replicas":0}'), false)).toBe('PATCH /x\n\n{"replicas":0}');
});

test("but no Secret, no token, nothing that is not text, and of a long body its beginning", () => {
  expect(heldText("POST /x", bytes("hunter2"), true)).toBe(
    "POST /x\n\n(body of 7 bytes, not shown: it holds secret values)",
  );
  const token = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
  expect(heldText("POST /x", bytes(`{"a":"${token}"}`), false)).not.toContain(token);
  expect(heldText("POST /x", Uint8Array.of(0x6b, 0x38, 0x73, 0), false)).toContain("not text");
  expect(heldText("POST /x", Uint8Array.of(0xff, 0xfe), false)).toContain("not text");
  expect(heldText("POST /x", bytes("a".repeat(5000)), false)).toMatch(
    /a{4096}\n\(the first 4096 .*5000 bytes\)$/,
  );
});
