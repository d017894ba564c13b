import { beforeAll, describe, expect, test } from "vitest";
import type { LogEntry } from "../../wire/log/entry.ts";
import { NOTE_COSIGNATURE } from "../../wire/log/note.ts";
import {
  bundleOf,
  type Files,
  failed,
  keysOf,
  type MadeOptions,
  newParties,
  newSigner,
  of,
  type Parties,
  record,
  verifyWith,
} from "./test-bundle.ts";

let parties: Parties;
let genuine: Files;

const verify = (files: Files, keys?: ReturnType<typeof keysOf>) => verifyWith(files, parties, keys);

beforeAll(async () => {
  parties = await newParties();
  genuine = await bundleOf("s_1", "", parties);
});

describe("a genuine recording", () => {
  test("passes in every property", async () => {
    const report = await verify(genuine);
    expect(report.checks.map((one) => [one.property, one.verdict])).toEqual([
      ["bundle", "PASS"],
      ["segments", "PASS"],
      ["checkpoint signature", "PASS"],
      ["inclusion in the log", "PASS"],
      ["session start", "PASS"],
      ["session end", "PASS"],
      ["edge's root", "PASS"],
      ["completeness", "PASS"],
      ["recording level", "PASS"],
      ["connector's statement", "PASS"],
      ["witness cosignature", "PASS"],
      ["task digest", "PASS"],
    ]);
    expect(report).toMatchObject({ ok: true, complete: true, session: "s_1" });
  });

  test("without a witness's key says so and passes", async () => {
    const report = await verify(genuine, keysOf(parties.log, parties.connector));
    expect(report.ok).toBe(true);
    expect(of(report, "witness cosignature").verdict).toBe("NOT CHECKED");
  });

  test("without the log's or the connector's key does not pass", async () => {
    expect(failed(await verify(genuine, keysOf(parties.connector)))).toContain("checkpoint signature");
    expect(failed(await verify(genuine, keysOf(parties.log)))).toEqual(["connector's statement"]);
    expect((await verify(genuine, keysOf())).ok).toBe(false);
    const stranger = await newSigner("witness.example/w2", NOTE_COSIGNATURE);
    const report = await verify(genuine, keysOf(parties.log, parties.connector, stranger));
    expect(failed(report)).toEqual(["witness cosignature"]);
  });
});

describe("R3 an honest recording that broke off", () => {
  const withEnd = (change: Partial<Extract<LogEntry, { type: "session.end" }>>) =>
    bundleOf("s_1", "", parties, change);

  test("messages that did not reach the edge any more are no fault; the beginning has to be the same", async () => {
    const { sealed } = record("s_1", 6);
    const header = sealed[4]!.header;
    const roots = {
      frontend: record("s_1", 6).roots.frontend,
      backend: { entries: header.backend.next, root: header.backend.root },
    };
    const report = await verify(await withEnd({ roots }));
    expect(of(report, "edge's root")).toMatchObject({ verdict: "PASS" });
    expect(of(report, "edge's root").detail).toContain("but for the last 2 from the database");
    const forged = { ...roots, backend: { ...roots.backend, root: "00".repeat(32) } };
    expect(failed(await verify(await withEnd({ roots: forged })))).toEqual(["edge's root"]);
  });

  test("messages that the edge sent and nobody recorded are named", async () => {
    const { frontend, backend } = record("s_1", 6).roots;
    const report = await verify(
      await withEnd({ roots: { frontend: { ...frontend, entries: 15 }, backend } }),
    );
    expect(failed(report)).toEqual(["edge's root"]);
    expect(of(report, "edge's root").detail).toContain("the last 3 messages that the edge sent");
  });

  test("what the edge said before it restarted still holds its beginning", async () => {
    const { frontend, backend } = record("s_1", 6).sealed[2]!.header;
    const roots = {
      frontend: { entries: frontend.next, root: frontend.root },
      backend: { entries: backend.next, root: backend.root },
    };
    const restarted = { roots: null, code: "EDGE_RESTARTED" };
    const report = await verify(await bundleOf("s_1", "", parties, restarted, roots));
    expect(report.ok, JSON.stringify(report.checks)).toBe(true);
    expect(of(report, "session progress")).toMatchObject({ verdict: "PASS" });
    const forged = { ...roots, backend: { ...roots.backend, root: "00".repeat(32) } };
    const refused = await verify(await bundleOf("s_1", "", parties, restarted, forged));
    expect(failed(refused)).toEqual(["session progress"]);
    expect(of(refused, "session progress").detail).toMatch(
      /entry 4 of the log: the first \d+ messages from the/,
    );
  });

  test("after a restart of the edge only the connector vouches, and the report says so", async () => {
    const report = await verify(await withEnd({ roots: null, code: "EDGE_RESTARTED" }));
    expect(report.ok).toBe(true);
    expect(of(report, "edge's root").verdict).toBe("NOT CHECKED");
  });

  describe("the connector was killed with messages of the edge on the way", () => {
    const whole = () => record("s_1", 6, "", "CONNECTOR_RESTARTED");
    const stateAfter = (sequence: number) => {
      const { frontend, backend } = whole().sealed[sequence]!.header;
      return {
        frontend: { entries: frontend.next, root: frontend.root },
        backend: { entries: backend.next, root: backend.root },
      };
    };
    /** The edge sent three messages more than were recorded, and heard the last answer after segment `answered`. */
    const broken = (answered: number | null, options: MadeOptions = { reason: "CONNECTOR_RESTARTED" }) => {
      const { frontend, backend } = whole().roots;
      const ending = {
        code: "CONNECTOR_LOST",
        roots: { frontend: { entries: frontend.entries + 3, root: "ab".repeat(32) }, backend },
        ...(answered === null ? {} : { answered: stateAfter(answered) }),
      };
      return bundleOf("s_1", "", parties, ending, null, options);
    };

    test("nothing of what is missing was answered: the gap is stated, and nothing fails", async () => {
      const report = await verify(await broken(3));
      expect(failed(report), JSON.stringify(report.checks)).toEqual([]);
      expect(report).toMatchObject({ ok: true, complete: false });
      expect(of(report, "completeness")).toMatchObject({ verdict: "GAP STATED" });
      expect(of(report, "completeness").detail).toContain("the last 3 messages that the edge sent");
      expect(of(report, "completeness").detail).toContain("CONNECTOR_RESTARTED");
      expect(of(report, "edge's root").detail).toContain(
        "the same 8 messages to the database up to its last answer",
      );
    });

    test("R2 the same gap fails where the recording says that it ended in order, or the edge knows of no answer", async () => {
      expect(failed(await verify(await broken(3, {})))).toEqual(["edge's root"]);
      expect(failed(await verify(await broken(null)))).toEqual(["edge's root"]);
    });

    test("a session that broke off while it was opened: nothing is recorded, nothing was answered, the gap is stated", async () => {
      const { frontend, backend } = record("s_1", 0, "", "NOT_OPENED").roots;
      const roots = { frontend: { entries: 1, root: "ab".repeat(32) }, backend };
      for (const reason of ["NOT_OPENED", "CONNECTOR_RESTARTED"]) {
        const report = await verify(
          await bundleOf("s_1", "", parties, { roots }, null, { reason, count: 0 }),
        );
        expect(failed(report), JSON.stringify(report.checks)).toEqual([]);
        expect(of(report, "completeness").verdict).toBe("GAP STATED");
      }
      const answered = { frontend: { entries: 1, root: "ab".repeat(32) }, backend };
      const ending = { roots, answered };
      const lost = await bundleOf("s_1", "", parties, ending, null, { reason: "NOT_OPENED", count: 0 });
      expect(failed(await verify(lost))).toEqual(["edge's root"]);
      expect(frontend.entries).toBe(0);
    });

    test("it broke off before its first answer: a stated gap when the edge states that nothing was answered", async () => {
      const start = record("s_1", 0).roots;
      const { frontend, backend } = whole().roots;
      const more = { frontend: { entries: frontend.entries + 3, root: "ab".repeat(32) }, backend };
      const made = (roots: typeof more, answered: typeof start | undefined, options: MadeOptions) =>
        bundleOf("s_1", "", parties, { roots, ...(answered ? { answered } : {}) }, null, options);
      const broke = { reason: "CONNECTOR_RESTARTED" };
      const report = await verify(await made(more, start, broke));
      expect(failed(report), JSON.stringify(report.checks)).toEqual([]);
      expect(of(report, "completeness")).toMatchObject({ verdict: "GAP STATED" });
      expect(of(report, "edge's root").detail).toBe("the database answered nothing");
      // Answers that it passed on, besides: none of them was of a statement that was done.
      const passed = { ...more, backend: { entries: backend.entries + 1, root: "ab".repeat(32) } };
      expect(failed(await verify(await made(passed, start, broke)))).toEqual([]);
      // R2: an end that states nothing, an orderly end, a strict recording, another beginning.
      const other = { ...start, frontend: { entries: 0, root: "ab".repeat(32) } };
      for (const [roots, answered, options] of [
        [more, undefined, broke],
        [more, start, {}],
        [passed, start, { ...broke, start: { durability: "strict" } }],
        [more, other, broke],
      ] as const) {
        expect(failed(await verify(await made(roots, answered, options)))).toEqual(["edge's root"]);
      }
    });

    test("R2 it fails where the database answered what is missing, and where the beginning is another", async () => {
      const { frontend, backend } = whole().roots;
      const roots = { frontend: { ...frontend, entries: frontend.entries + 3 }, backend };
      const make = (changed: { entries: number; root: string }) => {
        const answered = { ...stateAfter(3), frontend: changed };
        return bundleOf("s_1", "", parties, { roots, answered }, null, { reason: "CONNECTOR_RESTARTED" });
      };
      const lost = await verify(await make({ entries: frontend.entries + 1, root: "ab".repeat(32) }));
      expect(failed(lost)).toEqual(["edge's root"]);
      expect(of(lost, "edge's root").detail).toContain("answered some of them");
      const other = await verify(await make({ ...stateAfter(3).frontend, root: "ab".repeat(32) }));
      expect(failed(other)).toEqual(["edge's root"]);
      expect(of(other, "edge's root").detail).toContain("other messages to the database");
    });

    /** The edge received so many messages more than were recorded. */
    const answersLost = (changes: { answered?: object; durability?: string; reason?: string } = {}) => {
      const { frontend, backend } = whole().roots;
      const roots = { frontend, backend: { entries: backend.entries + 2, root: "ab".repeat(32) } };
      const { durability = "batched", reason = "CONNECTOR_RESTARTED" } = changes;
      const answered = { ...stateAfter(3), ...changes.answered };
      return bundleOf("s_1", "", parties, { code: "CONNECTOR_LOST", roots, answered }, null, {
        ...{ reason, start: { durability } },
      });
    };

    test("R1 answers that were passed on and not written down yet are a stated gap", async () => {
      const report = await verify(await answersLost());
      expect(failed(report), JSON.stringify(report.checks)).toEqual([]);
      expect(of(report, "completeness")).toMatchObject({ verdict: "GAP STATED" });
      expect(of(report, "completeness").detail).toContain("the last 2 messages that it received");
    });

    test("R2 they fail where they are said to be on the disk: strict, an orderly end, or before the last statement", async () => {
      const { backend } = whole().roots;
      for (const changes of [
        { durability: "strict" },
        { reason: "CLIENT_TERMINATED" },
        { answered: { backend: { entries: backend.entries + 1, root: "ab".repeat(32) } } },
        { answered: { backend: { ...stateAfter(3).backend, root: "ab".repeat(32) } } },
      ]) {
        expect(failed(await verify(await answersLost(changes))), JSON.stringify(changes)).toEqual([
          "edge's root",
        ]);
      }
    });

    test("a word of the edge in the gap is part of it; one of the recorded part has to hold", async () => {
      const { frontend, backend } = whole().roots;
      const more = { frontend: { entries: frontend.entries + 2, root: "cd".repeat(32) }, backend };
      const ending = {
        roots: { frontend: { ...frontend, entries: frontend.entries + 3 }, backend },
        answered: stateAfter(3),
      };
      const options = { reason: "CONNECTOR_RESTARTED" };
      const report = await verify(await bundleOf("s_1", "", parties, ending, more, options));
      expect(failed(report)).toEqual([]);
      const wrong = { ...more, backend: { ...backend, root: "cd".repeat(32) } };
      const refused = await verify(await bundleOf("s_1", "", parties, ending, wrong, options));
      expect(failed(refused)).toEqual(["session progress"]);
    });
  });

  test("a session that its task lets go on unrecorded: how much is missing is stated", async () => {
    const { frontend, backend } = record("s_1", 6).roots;
    const roots = {
      frontend: { entries: frontend.entries + 7, root: "ab".repeat(32) },
      backend: { entries: backend.entries + 4, root: "ab".repeat(32) },
    };
    const reason = "CONNECTOR_RESTARTED";
    const goesOn = await bundleOf("s_1", "", parties, { roots }, null, {
      reason,
      start: { onFailure: "continue" },
    });
    const report = await verify(goesOn);
    expect(report).toMatchObject({ ok: true, complete: false });
    expect(of(report, "completeness").detail).toContain("the last 7 to and the last 4 from the database");
    expect(failed(await verify(await bundleOf("s_1", "", parties, { roots }, null, { reason })))).toEqual([
      "edge's root",
    ]);
  });
});
