/** Any order of messages, any cut, any speed of either side: the gate keeps a server's order. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FakePostgres } from "../../test/support/fake-postgres.ts";
import { open, sync, words } from "../../test/support/gate-harness.ts";
import { allowing } from "../../test/support/scripted-decider.ts";
import { concat } from "../../wire/bytes.ts";
import {
  bareMessage,
  bindMessage,
  closeMessage,
  describeMessage,
  executeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";
import type { GateOptions } from "./gate.ts";

describe("whatever the client sends and however it is cut, it sees what it would see without the gate", () => {
  const texts = fc.constantFrom(
    "rows 2",
    "rows 0",
    "fail",
    "bad",
    "begin",
    "commit",
    "",
    "copy out",
    "thing",
    "rows 1; fail; rows 1",
    "rows 1; thing",
  );
  const names = fc.constantFrom("", "a", "b");
  const target = fc.constantFrom("statement" as const, "portal" as const);
  const message = fc.oneof(
    { weight: 3, arbitrary: texts.map(queryMessage) },
    { weight: 5, arbitrary: fc.tuple(names, texts).map(([name, text]) => parseMessage(name, text)) },
    {
      weight: 5,
      arbitrary: fc.tuple(names, names).map(([portal, statement]) => bindMessage({ portal, statement })),
    },
    { weight: 2, arbitrary: fc.tuple(target, names).map(([kind, name]) => describeMessage(kind, name)) },
    { weight: 2, arbitrary: fc.tuple(target, names).map(([kind, name]) => closeMessage(kind, name)) },
    { weight: 5, arbitrary: fc.tuple(names, fc.nat(2)).map(([name, limit]) => executeMessage(name, limit)) },
    { weight: 4, arbitrary: fc.constant(sync) },
    { weight: 1, arbitrary: fc.constant(bareMessage(Frontend.Flush)) },
  );

  /** All that a server without a gate answers. */
  function direct(messages: readonly Uint8Array[]): { words: string[]; ran: string[] } {
    const out: Uint8Array[] = [];
    const fake = new FakePostgres((bytes) => out.push(bytes));
    for (const one of messages) fake.push(one);
    return { words: words(concat([...out, new Uint8Array(0)])), ran: fake.ran };
  }

  /** The same through the gate, with chunks and turns drawn from `turns`. */
  function through(
    messages: readonly Uint8Array[],
    turns: readonly number[],
    more: Partial<GateOptions> = {},
  ) {
    const one = open(more);
    const fromFake: Uint8Array[] = [];
    const fake = new FakePostgres((bytes) => fromFake.push(bytes));
    let toGate = concat([...messages, new Uint8Array(0)]);
    let toFake = new Uint8Array(0);
    let toClient = new Uint8Array(0);
    let turn = 0;
    const size = () => (turns.length === 0 ? 50 : 1 + (turns[turn++ % turns.length]! % 60));
    for (let idle = 0; idle < 3; ) {
      idle += 1;
      if (toGate.length > 0) {
        const n = size();
        one.gate.fromClient(toGate.slice(0, n));
        toGate = toGate.slice(n);
        idle = 0;
      }
      toFake = concat([toFake, one.sent()]).slice();
      if (toFake.length > 0 && (size() > 25 || toGate.length === 0)) {
        const n = size();
        fake.push(toFake.slice(0, n));
        toFake = toFake.slice(n);
        idle = 0;
      }
      toClient = concat([toClient, ...fromFake.splice(0)]).slice();
      if (toClient.length > 0 && (size() > 25 || toFake.length === 0)) {
        const n = size();
        one.gate.fromServer(toClient.slice(0, n));
        toClient = toClient.slice(n);
        idle = 0;
      }
    }
    return { ...one, words: one.got(), ran: fake.ran };
  }

  test("all allowed", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (some, turns) => {
          const messages = [...some, sync, queryMessage("rows 1")];
          const expected = direct(messages);
          const seen = through(messages, turns);
          expect(seen.ends).toEqual([]);
          expect(seen.words).toEqual(expected.words);
          expect(seen.ran).toEqual(expected.ran);
          expect(seen.gate.idle).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("some denied: as if those texts were texts that do not parse, and none of them runs", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (some, turns) => {
          const messages = [...some, sync, queryMessage("rows 1")];
          const denied = ["rows 2", "thing", "rows 1; thing"];
          const swapped = messages.map((one) => {
            const bytes = [...one];
            const replace = (text: string) => {
              const found = new TextDecoder("latin1").decode(one);
              if (one[0] === Frontend.Query && found.slice(5, -1) === text) return queryMessage("wicketgate");
              if (one[0] === Frontend.Parse) {
                const name = found.slice(5, found.indexOf("\0", 5));
                if (found.slice(5 + name.length + 1, -3) === text) return parseMessage(name, "wicketgate");
              }
              return null;
            };
            return denied.map(replace).find((other) => other !== null) ?? Uint8Array.from(bytes);
          });
          const decider = {
            decide: (text: string) =>
              denied.includes(text)
                ? { ...allowing(text), effect: "deny" as const, sqlstate: "42601", rewritten: null }
                : allowing(text),
          };
          const expected = direct(swapped);
          const seen = through(messages, turns, { decider });
          expect(seen.words).toEqual(expected.words);
          expect(seen.ran).toEqual(expected.ran);
          for (const text of denied) expect(seen.ran).not.toContain(text);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("P5 garbage from either side never throws, and the session ends or waits", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 60 })), { maxLength: 10 }),
        (pieces) => {
          const { gate } = open();
          for (const [client, bytes] of pieces)
            client ? gate.fromClient(bytes.slice()) : gate.fromServer(bytes.slice());
        },
      ),
    );
  });

  test("what ran was recorded before, each outcome belongs to its statement, and events are plain JSON", () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 25 }),
        fc.array(fc.nat(1000), { maxLength: 20 }),
        (some, turns) => {
          const { events, ran } = through([...some, sync], turns);
          const texts = events.flatMap((event) => (event.t === "statement" ? [event.text] : []));
          expect(events.flatMap((event) => (event.t === "statement" ? [event.n] : []))).toEqual(
            texts.map((_, i) => i + 1),
          );
          const parts = new Set(
            texts.flatMap((text) => [text, ...text.split(";").map((part) => part.trim())]),
          );
          for (const text of ran) expect(parts.has(text)).toBe(true);
          for (const event of events) {
            if (event.t !== "outcome" || !event.ok || event.tag === "SKIPPED") continue;
            const text = texts[event.n - 1]!;
            if (text.startsWith("rows") && !text.includes(";"))
              expect(event.tag).toMatch(/^SELECT|^SUSPENDED/);
            if (["thing", "begin", "commit"].includes(text)) expect(event.tag).toBe(text.toUpperCase());
          }
          expect(JSON.parse(JSON.stringify(events))).toEqual(events);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
