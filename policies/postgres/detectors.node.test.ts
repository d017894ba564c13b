/** The detectors on a real server: what they find, what they leave, and that the value stays of its type. */
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { labelledTexts } from "../../test/support/labelled-texts.ts";
import { testParser } from "../../test/support/parser.ts";
import { startPostgres, type TestPostgres } from "../../test/support/postgres.ts";
import { SqlLab } from "../../test/support/sql-lab.ts";
import { detectors } from "../model.ts";
import type { CatalogColumn } from "./catalog-types.ts";
import { detectExpression } from "./detectors.ts";

let server: TestPostgres;
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  client = new pg.Client({ connectionString: server.url });
  await client.connect();
});

afterAll(async () => {
  await client?.end();
  await server?.stop();
});

function column(type: string): CatalogColumn {
  return {
    name: "note",
    number: 1,
    type,
    typeOid: 0,
    category: /json/.test(type) ? "U" : "S",
    notNull: false,
    generated: false,
    baseType: null,
    labels: null,
    groupable: true,
    userCasts: false,
  };
}

async function shown(
  values: readonly (string | null)[],
  type = "text",
  kinds: readonly string[] = detectors,
) {
  const made = detectExpression(kinds, column(type), "note");
  if (!made.ok) throw new Error(made.message);
  const { rows } = await client.query<{ out: string | null }>(
    `SELECT (${made.sql})::text AS out FROM (SELECT x::${type} AS note, n FROM unnest($1::text[]) WITH ORDINALITY AS u(x, n)) AS s ORDER BY n`,
    [values],
  );
  return rows.map((row) => row.out);
}

test("what is found in a text is replaced, and the rest stays", async () => {
  const pairs: [string | null, string | null][] = [
    [null, null],
    ["", ""],
    ["nothing to see", "nothing to see"],
    ["write to Ana.B+x@mail.example.co.uk, please", "write to [email], please"],
    ["mailto:ü.müller@exämple.de!", "mailto:[email]!"],
    ["card 4111 1111 1111 1111 12/26", "card [card] 12/26"],
    ["card 4111-1111-1111-1111 and 378282246310005", "card [card] and [card]"],
    ["amex 3782 822463 10005", "amex [card]"],
    ["order 4111111111111112", "order 4111111111111112"],
    ["iban DE89 3704 0044 0532 0130 00 AND more", "iban [iban] AND more"],
    ["GB82WEST12345698765432", "[iban]"],
    ["es91 2100 0418 4502 0005 1332 the end", "[iban] the end"],
    ["DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01"],
    ["ssn 123-45-6789 or 123 45 6789", "ssn [ssn] or [ssn]"],
    ["call +49 171 1234567 or (212) 555-0143", "call [phone] or [phone]"],
    ["tel 030/1234567, 0171 1234567, 020 7946 0958", "tel [phone], [phone], [phone]"],
    ["from 10.0.0.1 and fe80::1ff:fe23:4567:890a, ::1", "from [ip] and [ip], [ip]"],
    ["2001:0db8:0000:0000:0000:ff00:0042:8329", "[ip]"],
    [
      "at 2024-01-12 10:30:00.123+01, 01-12-2024, 12.01.2024",
      "at 2024-01-12 10:30:00.123+01, 01-12-2024, 12.01.2024",
    ],
    ["std::vector<int>, 1.2.3.4.5, x@y, 12-34-5678", "std::vector<int>, 1.2.3.4.5, x@y, 12-34-5678"],
    ["(.*)|[x]\\1 ana@example.com $1 \\0", "(.*)|[x]\\1 [email] $1 \\0"],
  ];
  expect(await shown(pairs.map(([text]) => text))).toEqual(pairs.map(([, out]) => out));
});

test("only what the task asks for is found", async () => {
  expect(await shown(["a@example.com 4111111111111111 10.0.0.1"], "text", ["card"])).toEqual([
    "a@example.com [card] 10.0.0.1",
  ]);
});

test("a JSON value stays JSON", async () => {
  const values = [
    '{"mail": "ana@example.com", "card": 4111111111111111, "n": [1, -4111111111111111, 4111111111111112]}',
    '{"ana@example.com": {"deep": ["call +49 171 1234567", "\\n4111111111111111\\t123-45-6789\\"a@example.com\\""]}}',
    '"4111 1111 1111 1111"',
    "4111111111111111",
    "null",
  ];
  const out = [
    '{"n": [1, 0, 4111111111111112], "card": 0, "mail": "[email]"}',
    '{"[email]": {"deep": ["call [phone]", "\\n0\\t[ssn]\\"[email]\\""]}}',
    '"[card]"',
    "0",
    "null",
  ];
  expect(await shown(values, "jsonb")).toEqual(out);
  expect(await shown(['{"a" : "\\u0061na@example.com"}', '{"a" :  "ana@example.com"}'], "json")).toEqual([
    '"[hidden]"',
    '{"a" :  "[email]"}',
  ]);
});

test("other text types keep their type and length", async () => {
  expect(await shown(["ana@example.com is here"], "character varying(12)")).toEqual(["ana@example."]);
  expect(await shown(["a@ex.com", "x"], "character varying(8)")).toEqual(["[email]", "x"]);
});

test("columns that are no text are refused", () => {
  for (const type of ["integer", "text[]", "bytea", "xml", "jsonb[]"])
    expect(detectExpression(["email"], column(type), "note").ok).toBe(false);
});

test("M10 no text and no JSON value makes a detector fail", async () => {
  const words = fc.constantFrom(
    "4111111111111111",
    "a@b.co",
    "\\",
    '"',
    "\n",
    "+4912345678",
    "DE89",
    " ",
    ":",
    "{}",
    "é",
    "\u001f",
    "::",
    "123-45-6789",
  );
  const text = fc
    .array(fc.oneof(words, fc.string({ unit: "grapheme", maxLength: 6 })), { maxLength: 12 })
    .map((parts) => parts.join("").replaceAll("\0", "").toWellFormed());
  const json = fc.jsonValue({ maxDepth: 3, stringUnit: "grapheme" });
  const samples = fc.sample(
    fc.tuple(
      text,
      json,
      fc.dictionary(text, fc.oneof(text, fc.maxSafeInteger(), fc.double({ noNaN: true }))),
    ),
    300,
  );
  const plain = samples.map(([one]) => one);
  expect((await shown(plain)).length).toBe(plain.length);
  const values = samples.flatMap(([one, two, three]) => [
    JSON.stringify(one),
    JSON.stringify(two),
    JSON.stringify(three),
  ]);
  const fit = values.filter((value) => !/\\u(0000|d[89a-f])/i.test(value));
  const out = await shown(fit, "jsonb");
  expect(out.every((value) => value !== null && JSON.parse(value) !== undefined)).toBe(true);
  expect((await shown(fit, "json")).length).toBe(fit.length);
});

test("P18 a long value of the worst kind takes no more than its share of time", async () => {
  await client.query("SET statement_timeout = '20s'");
  for (const unit of [
    "a",
    "1",
    "1 ",
    "1-",
    "a@",
    "0 ",
    ":",
    "f:",
    "\\n",
    "+1",
    "DE89 3704 ",
    "4111 1111 1111 1112 ",
  ]) {
    const plain = unit.repeat(50_000 / unit.length);
    expect((await shown([plain])).length).toBe(1);
    expect((await shown([JSON.stringify(plain)], "jsonb")).length).toBe(1);
  }
  await client.query("RESET statement_timeout");
});

describe("a task with detectors", () => {
  let lab: SqlLab;
  const task = sqlTask([
    { relation: "notes", detect: { body: ["email", "card"], data: ["email"] } },
    { verb: "update", relation: "notes", columns: ["body"] },
  ]);

  beforeAll(async () => {
    await client.query(
      `CREATE TABLE notes (id int PRIMARY KEY, body text, data jsonb);
       INSERT INTO notes VALUES (1, 'ana@example.com paid with 4111 1111 1111 1111', '{"to": ["ana@example.com"]}')`,
    );
    lab = new SqlLab(server.port, await testParser());
  });

  afterAll(() => lab?.close());

  async function run(sql: string) {
    const session = await lab.session("postgres", task);
    const answer = await session.run(sql);
    session.close();
    return answer;
  }

  test("M11 a value cut in pieces, compared, cast, copied or fetched is the one with its finds replaced", async () => {
    const rows = async (sql: string) => (await run(sql)).rows.map((row) => JSON.parse(row) as unknown);
    expect(await rows("SELECT body, data FROM notes")).toEqual([
      ["[email] paid with [card]", '{"to": ["[email]"]}'],
    ]);
    expect(await rows("SELECT left(body, 5), substr(body, 6) FROM notes")).toEqual([
      ["[emai", "l] paid with [card]"],
    ]);
    expect(await rows("SELECT data->'to'->>0, data::text LIKE '%ana%', body ~ '4111' FROM notes")).toEqual([
      ["[email]", "f", "f"],
    ]);
    expect(await rows("SELECT reverse(body) FROM notes WHERE body LIKE '%ana%'")).toEqual([]);
    expect(await rows("COPY notes TO STDOUT")).toEqual([
      '1\t[email] paid with [card]\t{"to": ["[email]"]}\n',
    ]);
    const all = await run(
      "BEGIN; DECLARE c BINARY CURSOR FOR SELECT body FROM notes; FETCH c; SELECT notes::text FROM notes",
    );
    expect(JSON.stringify(all)).not.toMatch(/ana@|4111/);
  });

  test("M8 what a detector left in a value may not be written back, nor the value be read by a write", async () => {
    expect((await run("UPDATE notes SET body = '[email] paid' WHERE id = 1")).error?.message).toMatch(/mask/);
    expect((await run("UPDATE notes SET body = body || 'x' WHERE id = 1")).denied).toBe("COLUMN_NOT_GRANTED");
    expect((await run("UPDATE notes SET body = 'called back' WHERE id = 2")).tags).toEqual(["UPDATE 0"]);
  });
});

describe("precision and recall on a generated set", () => {
  test("every kind is found, and little else", async () => {
    const set = labelledTexts(3000);
    const out = (await shown(set.map((entry) => entry.text))) as string[];
    const count = new Map(detectors.map((kind) => [kind as string, { right: 0, missed: 0, wrong: 0 }]));
    set.forEach(({ parts }, index) => {
      let rest = out[index]!;
      for (const { kind, text } of parts) {
        if (kind !== null) {
          const found = rest.startsWith(`[${kind}]`);
          count.get(kind)![found ? "right" : "missed"] += 1;
          rest = rest.slice(found ? kind.length + 2 : text.length);
          continue;
        }
        if (rest.startsWith(text)) {
          rest = rest.slice(text.length);
          continue;
        }
        // Something in a part without a label was replaced.
        for (const [, what] of rest.matchAll(/\[(email|iban|card|ssn|phone|ip)\]/g)) {
          count.get(what!)!.wrong += 1;
          break;
        }
        break;
      }
    });
    const lines = [...count].map(([kind, { right, missed, wrong }]) => {
      const recall = right / (right + missed);
      const precision = right / (right + wrong);
      console.info(
        `detector ${kind}: recall ${(100 * recall).toFixed(1)} % (${right} of ${right + missed}), precision ${(100 * precision).toFixed(1)} % (${wrong} wrong)`,
      );
      return { kind, recall, precision };
    });
    for (const { kind, recall, precision } of lines) {
      expect(recall, `recall of ${kind}`).toBeGreaterThan(0.97);
      expect(precision, `precision of ${kind}`).toBeGreaterThan(0.97);
    }
  });
});
