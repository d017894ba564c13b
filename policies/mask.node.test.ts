/** The masks as functions against the masks as SQL, on a real server. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../test/support/postgres.ts";
import { maskText } from "./mask.ts";
import type { CatalogColumn } from "./postgres/catalog-types.ts";
import { maskExpression } from "./postgres/masks.ts";
import type { Mask } from "./task.ts";

const key = Buffer.alloc(64, 7);
const pad = (byte: number) => Buffer.from(key.map((b) => b ^ byte)).toString("hex");
const hash = (text: string) => createHmac("sha256", key).update(text, "utf8").digest("hex");

let server: TestPostgres;
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  const options = `-c wicket.token_i=${pad(0x36)} -c wicket.token_o=${pad(0x5c)} -c TimeZone=UTC`;
  client = new pg.Client({ connectionString: server.url, options });
  await client.connect();
});

afterAll(async () => {
  await client?.end();
  await server?.stop();
});

function column(type: string): CatalogColumn {
  const category = /^(text|character|name)/.test(type) ? "S" : "N";
  return {
    name: "v",
    number: 1,
    type,
    typeOid: 0,
    category,
    notNull: false,
    generated: false,
    baseType: null,
    labels: null,
    groupable: true,
    userCasts: false,
  };
}

/** Value and masked value as the server prints them, for many values at once. */
async function onServer(
  mask: Mask,
  type: string,
  values: readonly string[],
): Promise<[string | null, string | null][]> {
  const masked = maskExpression(mask, column(type), "v");
  if (!masked.ok) return [];
  const { rows } = await client.query<[string | null, string | null]>({
    text: `SELECT v, (${masked.sql}) FROM (SELECT x::${type} AS v FROM unnest($1::text[]) WITH ORDINALITY AS t(x, n) ORDER BY n) AS s`,
    values: [[...values]],
    rowMode: "array",
    types: { getTypeParser: () => (text: string) => text } as never,
  });
  return rows;
}

const unicode = fc
  .string({ unit: "binary", maxLength: 12 })
  .map((text) => text.replaceAll("\0", "").toWellFormed());
const texts = fc.oneof(unicode, fc.emailAddress(), fc.constantFrom("", "a@b@c", "@", "   ", "ab  ", "😀@é"));
const short = fc.integer({ min: 0, max: 6 });
const textMasks = fc.oneof<fc.Arbitrary<Mask>[]>(
  fc.constant({ kind: "email" }),
  fc.constant({ kind: "null" }),
  fc.constant({ kind: "token" }),
  texts.map((value) => ({ kind: "constant", value })),
  fc.record({
    kind: fc.constant("keep" as const),
    first: short,
    last: short,
    with: fc.constantFrom("*", "•", "😀"),
  }),
);
const decimals = fc
  .tuple(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }), fc.integer({ min: 0, max: 4 }))
  .map(([digits, scale]) => (Number(digits) / 10 ** scale).toFixed(scale));
const round = fc.integer({ min: -12, max: 8 }).map((digits): Mask => ({ kind: "round", digits }));
const dateMasks = fc.constantFrom<Mask>({ kind: "year" }, { kind: "month" });
const day = fc.tuple(
  fc.integer({ min: 1, max: 5800 }),
  fc.integer({ min: 1, max: 12 }),
  fc.integer({ min: 1, max: 28 }),
  fc.boolean(),
);
const two = (n: number) => String(n).padStart(2, "0");
const dates = fc.oneof(
  day.map(
    ([y, m, d, bc]) =>
      `${String(bc ? Math.min(y, 4712) : y).padStart(4, "0")}-${two(m)}-${two(d)}${bc ? " BC" : ""}`,
  ),
  fc.constantFrom("infinity", "-infinity", "4714-11-30 BC", "4713-01-01 BC", "294276-12-31"),
);
const times = fc.oneof(
  day.map(
    ([y, m, d, bc]) =>
      `${String(y % 4000 || 1).padStart(4, "0")}-${two(m)}-${two(d)} 01:02:03.5${bc ? " BC" : ""}`,
  ),
  fc.constantFrom("infinity", "-infinity", "4714-11-30 01:00:00 BC"),
);
const bounded = (limit: bigint) => fc.bigInt({ min: -limit, max: limit - 1n }).map(String);

test.each<[string, fc.Arbitrary<string>, fc.Arbitrary<Mask>]>([
  ["text", texts, textMasks],
  ["character varying(20)", texts.map((text) => Array.from(text).slice(0, 20).join("")), textMasks],
  ["character varying(5)", texts.map((text) => Array.from(text).slice(0, 5).join("")), textMasks],
  ["character(20)", texts.map((text) => Array.from(text).slice(0, 20).join("")), textMasks],
  ["name", texts, textMasks],
  ["smallint", bounded(2n ** 15n), round],
  ["integer", bounded(2n ** 31n), fc.oneof(round, fc.constant<Mask>({ kind: "token" }))],
  ["bigint", bounded(2n ** 63n), fc.oneof(round, fc.constant<Mask>({ kind: "token" }))],
  ["numeric", fc.oneof(decimals, fc.constantFrom("NaN", "Infinity", "-Infinity")), round],
  ["numeric(12,2)", decimals, round],
  ["numeric(9,0)", decimals.map((text) => text.slice(0, 8).replace(/[.-]+$/, "") || "0"), round],
  ["uuid", fc.uuid(), fc.constant<Mask>({ kind: "token" })],
  ["date", dates, dateMasks],
  ["timestamp without time zone", times, dateMasks],
  ["timestamp with time zone", times, dateMasks],
])("the masks of %s agree with the database", async (type, values, masks) => {
  await fc.assert(
    fc.asyncProperty(masks, fc.array(values, { minLength: 20, maxLength: 40 }), async (mask, list) => {
      for (const [value, masked] of await onServer(mask, type, list)) {
        expect(maskText(mask, value, type, hash), `${JSON.stringify(mask)} of ${JSON.stringify(value)}`).toBe(
          masked,
        );
      }
    }),
    { numRuns: 40 },
  );
});
