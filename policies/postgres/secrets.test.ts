import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { madeCatalog, madeTable } from "../../test/support/made-catalog.ts";
import { sqlParser } from "../../test/support/sql-parser.ts";
import { createDecider } from "./decide.ts";
import type { Parser } from "./parser.ts";
import { mayHoldSecretBytes, mayHoldSecrets, redact } from "./secrets.ts";

let parser: Parser;
beforeAll(async () => {
  parser = await sqlParser();
});

const of = (sql: string) => {
  const parsed = parser.parse(sql);
  return redact(sql, parsed.ok ? (parsed.tree.stmts ?? []) : null)?.text ?? sql;
};

test("a long text is looked through once: a client chooses what it is made of", () => {
  for (const piece of ["://", "a://", "://a:", "password ", "a:"]) {
    mayHoldSecrets(piece.repeat(250_000 / piece.length));
    of(`SELECT 'token', '${piece.repeat(200_000 / piece.length)}'`);
  }
  expect(of(`SELECT 'token', '${"a".repeat(250_000)}'`)).toContain("aaa");
  expect(of(`SELECT 'token', '${"a".repeat(100_000)}://b:c@d'`)).toBe("SELECT 'token', '[redacted]'");
});

describe("R6 secrets in SQL text are redacted by node", () => {
  test.each([
    ["ALTER ROLE bob PASSWORD 'hunter2'", "ALTER ROLE bob PASSWORD '[redacted]'"],
    [
      "ALTER ROLE bob WITH LOGIN ENCRYPTED PASSWORD E'hun\\'ter2' VALID UNTIL '2030-01-01'",
      "ALTER ROLE bob WITH LOGIN ENCRYPTED PASSWORD '[redacted]' VALID UNTIL '2030-01-01'",
    ],
    ["create user ö password $$hunter2$$", "create user ö password '[redacted]'"],
    [
      "SELECT 'ä'; ALTER USER bob PASSWORD /* 'x' */ 'hunter2'",
      "SELECT 'ä'; ALTER USER bob PASSWORD /* 'x' */ '[redacted]'",
    ],
    ["ALTER ROLE bob PASSWORD 'hun'\n'ter2'", "ALTER ROLE bob PASSWORD '[redacted]'"],
    [
      "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'bob', password 'hunter2')",
      "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'bob', password '[redacted]')",
    ],
    [
      "ALTER SERVER s OPTIONS (SET sslpassword 'hunter2')",
      "ALTER SERVER s OPTIONS (SET sslpassword '[redacted]')",
    ],
    [
      "CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2' PUBLICATION p",
      "CREATE SUBSCRIPTION s CONNECTION '[redacted]' PUBLICATION p",
    ],
    [
      "SELECT * FROM dblink('host=h password=hunter2', 'select 1') AS t(a int)",
      "SELECT * FROM dblink('[redacted]', '[redacted]') AS t(a int)",
    ],
    [
      "SELECT 'postgres://bob:hunter2@db/app' AS u, 'https://example.com/a' AS v",
      "SELECT '[redacted]' AS u, 'https://example.com/a' AS v",
    ],
    ["SELECT pgp_sym_decrypt(c, 'hunter2') FROM t", "SELECT pgp_sym_decrypt(c, '[redacted]') FROM t"],
    ["SET app.secret = 'hunter2'", "SET app.secret = '[redacted]'"],
    [
      "SELECT * FROM users WHERE password = 'hunter2' AND name = 'bob'",
      "SELECT * FROM users WHERE password = '[redacted]' AND name = 'bob'",
    ],
    [
      "UPDATE users SET api_key = 'hunter2' WHERE name = 'bob'",
      "UPDATE users SET api_key = '[redacted]' WHERE name = 'bob'",
    ],
    ["ALTER ROLE bob PASSWORD U&'hunter2'", "ALTER ROLE bob PASSWORD '[redacted]'"],
  ])("%s", (sql, expected) => {
    expect(of(sql)).toBe(expected);
  });

  test("a text that does not parse loses what a word announces", () => {
    for (const sql of [
      "ALTER ROLE bob PASSWORD 'hunter2' PASWORD",
      "ALTR ROLE bob PASSWORD 'hunter2'",
      "ALTER ROLE bob PASSWORD 'hunter2",
      "selec 'postgres://bob:hunter2@db/app'",
      "create user bob passwort 'hunter2'",
    ])
      expect(of(sql), sql).not.toContain("hunter2");
  });

  test("texts without a secret stay as they are", () => {
    for (const sql of [
      "SELECT * FROM orders WHERE status = 'paid'",
      "SELECT password_changed_at FROM users WHERE name = 'bob'",
      "SELECT 'token' AS kind",
      "SET connection.x = 'a'",
    ])
      expect(of(sql)).toBe(sql);
  });
});

test("R6 a decision carries the redacted text, its rewriting and its message too", () => {
  const catalog = madeCatalog([madeTable("public", "orders", { id: "integer", status: "text" })]);
  const task = sqlTask([{ relation: "orders" }]);
  const decide = (sql: string) => createDecider({ task, catalog, parser }).decide(sql);
  const denied = decide("ALTER ROLE bob PASSWORD 'hunter2'");
  expect(denied).toMatchObject({
    effect: "deny",
    recorded: { text: "ALTER ROLE bob PASSWORD '[redacted]'" },
  });
  const allowed = decide("SELECT id FROM orders WHERE status = 'postgres://bob:hunter2@db/app'");
  expect(allowed.effect).toBe("allow");
  expect(allowed.rewritten).toContain("hunter2");
  expect(JSON.stringify(allowed.recorded)).not.toContain("hunter2");
  expect(decide("SELECT id FROM orders").recorded).toBeUndefined();
  const broken = decide("ALTER ROLE bob PASWORD 'hunter2' PASSWORD");
  expect(JSON.stringify({ ...broken, fingerprint: null })).not.toContain("hunter2");
});

test("R6 bytes are worth a look exactly when their text is", () => {
  const words =
    "passwd PassPhrase pwd secret TOKEN credential api_key apikey sslkey conninfo dblink ://a@ connection".split(
      " ",
    );
  const more = [
    "pgp_x",
    "crypt",
    "Encrypt",
    "hmac",
    "\\",
    "U&",
    "u&",
    "pas",
    "se",
    "cret",
    "://",
    "co",
    "api",
    "\u00dc",
  ];
  const piece = fc.oneof(
    fc.constantFrom(...words, ...more),
    fc.string({ unit: fc.constantFrom(..."passecrtokn:/@&\\uU _\n7") }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const bytes = Uint8Array.from(pieces.join(""), (one) => one.charCodeAt(0) & 0xff);
      const text = String.fromCharCode(...bytes);
      expect(mayHoldSecretBytes(bytes)).toBe(mayHoldSecrets(text));
    }),
    { numRuns: 2000 },
  );
});
