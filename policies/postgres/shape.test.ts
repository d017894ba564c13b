import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { sqlParser } from "../../test/support/sql-parser.ts";
import { varied } from "../../test/support/varied.ts";
import type { Parser } from "./parser.ts";
import { shapeOf } from "./shape.ts";
import { varyingLiterals } from "./varying-literals.ts";

let parser: Parser;
beforeAll(async () => {
  parser = await sqlParser();
});

/** The literals of a text, or null when it has no shape. */
const literals = (text: string): string[] | null =>
  shapeOf(text)?.literals.map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`) ?? null;

describe("the shape of a text", () => {
  test("has its plain literals, by the type that they have whatever they are", () => {
    expect(literals("SELECT a FROM t WHERE id = 42 AND b <> 'it''s' AND c > 0.5")).toEqual([
      "int4 42",
      "string 'it''s'",
      "numeric 0.5",
    ]);
    expect(literals("SELECT * FROM t WHERE at>12345678901 LIMIT 999999999")).toEqual([
      "int8 12345678901",
      "int4 999999999",
    ]);
    expect(literals("SELECT a -- it's 1\r\nFROM t /*é '*/ WHERE/**/id=-/*x*/1--")).toEqual([
      "line -- it's 1",
      "block /*é '*/",
      "block /**/",
      "block /*x*/",
      "int4 1",
      "line --",
    ]);
    expect(literals(`INSERT INTO "T x" VALUES ($1, -7, '', 'ä😀')`)).toEqual([
      "int4 7",
      "string ''",
      "string 'ä😀'",
    ]);
  });

  test.each([
    ["no literal", "SELECT a FROM t WHERE id = $1"],
    ["a type that hangs on the value", "SELECT 2147483647"],
    ["more than bigint", "SELECT 1234567890123456789"],
    ["leading zeros", "SELECT 007"],
    ["a point without digits", "SELECT 1."],
    ["a point first", "SELECT .5"],
    ["an exponent", "SELECT 1e5"],
    ["a negative zero, which is written anew without its sign", "SELECT -\t0"],
    ["an exponent behind a point", "SELECT 1.5e5"],
    ["hexadecimal", "SELECT 0x1F"],
    ["digits with a line between", "SELECT 1_000"],
    ["a number that runs into a word", "SELECT 1FROM t"],
    ["a number in a name", "SELECT a.1"],
    ["two points", "SELECT a[1..2]"],
    ["a string with a backslash", "SELECT 'a\\b'"],
    ["a string with escapes", "SELECT E'a'"],
    ["a string with Unicode escapes", "SELECT U&'a'"],
    ["a string of bits", "SELECT b'1'"],
    ["a national string", "SELECT N'a'"],
    ["an operator that may be the end of U&", "SELECT a &'x'"],
    ["a string without an end", "SELECT 'a"],
    ["a string with a line break", "SELECT 'a\nb'"],
    ["a string that goes on in the next line", "SELECT 'a'\n  'b'"],
    ["a string behind a string", "SELECT 'a' 'b'"],
    ["a number behind a number", "SELECT 1 2"],
    ["a dollar-quoted string", "SELECT $$a$$, 1"],
    ["a dollar-quoted string with a tag", "SELECT $x$'a'$x$"],
    ["a dollar in a name", "SELECT a$1, 1"],
    ["a parameter that runs into a word", "SELECT $1a, 1"],
    ["a comment in a comment", "SELECT /* /* */ 1"],
    ["a comment without an end", "SELECT 1 /* x"],
    ["a comment in a comment at its end", "SELECT /* x /*/ 1 */ 2"],
    ["a tab of lines, which is white space or not by the version", "SELECT 'a'\v'b'"],
    ["a form feed between two strings", "SELECT 'a'\f\n'b'"],
    ["a point behind a comment", "SELECT 1/**/.5"],
    ["a dollar behind a comment", "SELECT $/**/1"],
    ["a string behind a parameter", "SELECT $1'a'"],
    ["a byte order mark", "\ufeffSELECT 1"],
    ["a no-break space", "SELECT\u00a01"],
    ["a string behind a string and a comment", "SELECT 'a' /* x */ 'b'"],
    ["a string that goes on behind a comment", "SELECT 'a' -- x\n'b'"],
    ["letters outside of ASCII", "SELECT é FROM t WHERE id = 1"],
    ["a quoted name outside of ASCII", 'SELECT "é" FROM t WHERE id = 1'],
    ["a quoted name with a quote", 'SELECT "a""b" FROM t WHERE id = 1'],
    ["a quoted name without an end", 'SELECT 1 AS "a'],
    ["a quoted name with Unicode escapes", 'SELECT U&"a", 1'],
    ["a quoted name that runs into a literal", `SELECT "a"'b'`],
    ["a control character", "SELECT 1\u0001"],
    ["a mark of a shape", "SELECT \u0004 WHERE 1 = 1"],
    ["a text that is too long", `SELECT 1${" ".repeat(16_384)}`],
    ["too many literals", `SELECT 1${", 1".repeat(500)}`],
  ])("%s has none", (_, text) => {
    expect(shapeOf(text)).toBeNull();
  });

  test.each([
    ["a comment in the middle of operators", "SELECT a*/*x*/-/**/5//*y*/2", "block block int4 block int4"],
    ["a comment behind an operator", "SELECT a<--x\n5", "line int4"],
    ["a line break that only PostgreSQL's scanner calls one", "SELECT 1 --x\r+ 2", "int4 line int4"],
    ["line separators of Unicode", "SELECT 1 --x\u2028\u0085+ 2\n", "int4 line"],
    ["stars at a comment's end", "SELECT /***/ 1 /*/ **/", "block int4 block"],
    ["quotes in comments and names", `SELECT "'" /*'"*/, '"--'`, "block string"],
  ])("%s: as the scanner reads it", (_, text, kinds) => {
    expect(
      shapeOf(text)
        ?.literals.map(({ kind }) => kind)
        .join(" "),
    ).toBe(kinds);
    expect(parser.parse(text).ok).toBe(true);
  });

  test("cut anywhere it is another one, or none, and never throws", () => {
    const text = `UPDATE "T" SET a = 'it''s', b = -1.5 WHERE id IN (1, 20000000000) AND c = $1`;
    for (let at = 0; at < text.length; at++) {
      expect(shapeOf(text.slice(0, at))?.key).not.toBe(shapeOf(text)!.key);
      shapeOf(text.slice(at));
    }
  });
});

/** A tree without positions, in which every constant is nothing but its kind. */
function blank(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(blank);
  if (typeof value !== "object" || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    if (/^location$|^stmt_l|_(?:start|end)$/.test(key)) continue;
    const constant = key === "A_Const" ? (child as object) : null;
    out[key] = constant ? Object.keys(constant).find((name) => name !== "location") : blank(child);
  }
  return out;
}

describe("the grammar", () => {
  const piece = fc.constantFrom(
    ...[
      "SELECT ",
      "FROM t ",
      "WHERE ",
      "id ",
      "= ",
      "< ",
      "- ",
      "-",
      "(",
      ") ",
      ", ",
      "IN (",
      "AND ",
      "::int ",
      "[1] ",
    ],
    ...[
      "'a'",
      "'it''s'",
      "''",
      "1",
      "25",
      "0.5",
      "12345678901",
      "$1 ",
      '"N" ',
      "LIMIT ",
      "BETWEEN ",
      " AS x ",
      "'a' ",
    ],
    ...[
      "interval ",
      "date ",
      "e",
      "x",
      "U&",
      "\n",
      "--",
      "/*",
      "$$",
      "VALUES (",
      "ORDER BY 1 ",
      "float(",
      "SET a = ",
    ],
  );
  const fitting = fc.constantFrom(
    "SELECT a FROM t WHERE id = 5 AND b < -3",
    "SELECT - - 5, -7.5, +1 FROM t",
    "SELECT interval '1 day', date '2024-01-01', float(3) '1'",
    "SELECT 'a'::varchar(10), a[1:2], $1 + 1 FROM t",
    "SELECT x FROM t WHERE (a, b) IN ((1, 2), (3, 4)) AND c LIKE 'a%' LIMIT 10 OFFSET 20",
    "INSERT INTO t (a, b) VALUES (1, 'x'), (-2, 'y') ON CONFLICT (a) DO UPDATE SET b = 'z' RETURNING 1",
    "UPDATE t SET a = a + 1, (b, c) = (2, 'x') WHERE d = '2024-01-01'::date",
    "SELECT substring('abc' FROM 2 FOR 1), position('a' IN 'b'), extract(year FROM a) FROM t",
    "SELECT TRIM(BOTH 'x' FROM a), OVERLAY(a PLACING 'x' FROM 1), a AT TIME ZONE 'UTC' FROM t",
    "SELECT sum(x) OVER (ORDER BY y ROWS 3 PRECEDING) FROM t TABLESAMPLE SYSTEM (5) REPEATABLE (1)",
    "SELECT JSON_VALUE(a, '$.b' RETURNING int DEFAULT 5 ON ERROR) FROM t FETCH FIRST 3 ROWS ONLY",
    "SELECT 1 UNION SELECT 2 ORDER BY 1; SELECT 3",
    "SELECT a/*x*/+--y\n-/*z*/5 FROM t -- 'b'",
    "SET statement_timeout = 5",
    "SELECT x'1F', 1 FROM t",
  );

  test("gives texts of one shape, whose other literals are the same, one tree but for the values", () => {
    let compared = 0;
    const text = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((parts) => parts.join("")),
      fitting,
    );
    fc.assert(
      fc.property(text, fc.nat(50), (one, n) => {
        const shape = shapeOf(one);
        const may = shape && varyingLiterals(parser, one, shape);
        if (!may?.includes(true)) return;
        const other = varied(one, n, may)!;
        expect(shapeOf(other)!.key).toBe(shapeOf(one)!.key);
        const [first, second] = [parser.parse(one), parser.parse(other)];
        expect(second.ok).toBe(first.ok);
        if (!first.ok || !second.ok) return;
        compared++;
        expect(blank(second.tree)).toEqual(blank(first.tree));
        expect(parser.fingerprint(other)).toBe(parser.fingerprint(one));
      }),
      { numRuns: 1500 },
    );
    expect(compared).toBeGreaterThan(300);
  });
});
