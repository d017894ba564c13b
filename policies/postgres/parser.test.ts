import { describe, expect, test } from "vitest";
import { sqlParser } from "../../test/support/sql-parser.ts";

describe("the parser", () => {
  test("parses, and says where a text is wrong in characters", async () => {
    const parser = await sqlParser();
    const parsed = parser.parse("SELECT 1; SELECT 2");
    expect(parsed.ok && parsed.tree.stmts?.length).toBe(2);
    const wrong = parser.parse("SELECT 'ä' FRM x y");
    expect(wrong).toEqual({
      ok: false,
      error: { kind: "syntax", message: 'syntax error at or near "x"', cursor: 15 },
    });
  });

  test("refuses a NUL character, behind which the server would see less than the parser", async () => {
    const parser = await sqlParser();
    expect(parser.parse("SELECT 1\0; SELECT 2").ok).toBe(false);
  });

  test("fingerprints do not depend on constants", async () => {
    const parser = await sqlParser();
    const one = parser.fingerprint("SELECT a FROM t WHERE b = 1");
    expect(one).toMatch(/^[0-9a-f]{16}$/);
    expect(parser.fingerprint("select a from t where b = 'x'")).toBe(one);
    expect(parser.fingerprint("SELEC 1")).toBeNull();
  });

  test("goes on after a text that exhausts its stack, again and again", async () => {
    const parser = await sqlParser();
    for (let round = 0; round < 3; round++) {
      expect(parser.parse(`SELECT ${"1+".repeat(40_000)}1`).ok).toBe(false);
      expect(parser.parse(`SELECT ${"(".repeat(20_000)}1${")".repeat(20_000)}`).ok).toBe(false);
      expect(parser.parse("SELECT 1").ok).toBe(true);
    }
  });
});
