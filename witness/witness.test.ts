import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { utf8 } from "../wire/log/bytes.ts";
import { formatCheckpoint, openCheckpoint, signCheckpoint } from "../wire/log/checkpoint.ts";
import { type NoteSigner, type NoteVerifier, parseVerifierKey } from "../wire/log/note.ts";
import { FileState, makeKey, readKey, serve } from "./main.ts";
import { logSigner, ORIGIN, Tree } from "./test-tree.ts";
import { Witness, type WitnessState } from "./witness.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-witness-"));
let log: NoteSigner;
let stranger: NoteSigner;
let signer: NoteSigner;
let key: NoteVerifier;

beforeAll(async () => {
  [log, stranger] = await Promise.all([logSigner(), logSigner()]);
  key = parseVerifierKey(await makeKey("witness.example", join(folder, "key")))!;
  signer = await readKey(join(folder, "key"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const honest = new Tree(Array.from({ length: 70 }, (_, i) => `entry ${i}`));
const other = new Tree(Array.from({ length: 70 }, (_, i) => (i === 3 ? "something else" : `entry ${i}`)));

function memory(): WitnessState & { size: number } {
  const trees = new Map<string, { size: number; root: string }>();
  return {
    size: 0,
    load: (origin) => trees.get(origin) ?? null,
    save(origin, tree) {
      trees.set(origin, tree);
      this.size = tree.size;
    },
  };
}

function witness(state: WitnessState = memory()): Witness {
  return new Witness({ signer, logs: [log], state, now: () => 1_700_000_000_000 });
}

describe("add-checkpoint", () => {
  test("cosigns what extends what it knows, and the cosignature verifies", async () => {
    const one = witness();
    for (const [before, size] of [
      [0, 1],
      [1, 1],
      [1, 7],
      [7, 64],
      [64, 70],
    ] as const) {
      const answer = await one.addCheckpoint(await honest.request(before, size, log));
      expect(answer.status).toBe(200);
      const text = formatCheckpoint({ origin: ORIGIN, size, root: honest.root(size), extensions: [] })!;
      const signed = await signCheckpoint(
        { origin: ORIGIN, size, root: honest.root(size), extensions: [] },
        log,
      );
      const whole = new Uint8Array([...signed!, ...utf8(answer.body)]);
      const opened = await openCheckpoint(whole, log, [key]);
      expect(opened).toMatchObject({ ok: true, text, verified: [{}, { timestamp: 1_700_000_000 }] });
    }
  });

  test("R2 a log that goes back or shows another history is not cosigned", async () => {
    const state = memory();
    const one = witness(state);
    expect((await one.addCheckpoint(await honest.request(0, 40, log))).status).toBe(200);
    // Rolled back: to an earlier tree, and to an empty one that grew anew.
    expect(await one.addCheckpoint(await honest.request(20, 30, log))).toMatchObject({
      status: 409,
      body: "40\n",
    });
    expect(await one.addCheckpoint(await other.request(0, 50, log))).toMatchObject({
      status: 409,
      body: "40\n",
    });
    // Forked: of the same size, and of a larger one.
    expect((await one.addCheckpoint(await other.request(40, 40, log))).status).toBe(409);
    expect((await one.addCheckpoint(await other.request(40, 60, log))).status).toBe(422);
    expect(state.size).toBe(40);
    expect((await one.addCheckpoint(await honest.request(40, 60, log))).status).toBe(200);
  });

  test("who is not the log, another log, and what is no request", async () => {
    const one = witness();
    expect((await one.addCheckpoint(await honest.request(0, 5, stranger))).status).toBe(403);
    const elsewhere = new Witness({ signer, logs: [], state: memory(), now: () => 0 });
    expect((await elsewhere.addCheckpoint(await honest.request(0, 5, log))).status).toBe(404);
    const good = await honest.request(0, 5, log);
    for (let cut = 0; cut < good.length; cut++) {
      const { status } = await one.addCheckpoint(good.slice(0, cut));
      expect([400, 403]).toContain(status);
    }
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, bits) => {
        const bad = good.slice();
        bad[at]! ^= bits;
        const { status } = await witness().addCheckpoint(bad);
        expect([400, 403, 404, 409, 422]).toContain(status);
      }),
      { numRuns: 100 },
    );
  });

  test("two at once: the second is held against what the first left", async () => {
    const one = witness();
    const answers = await Promise.all([
      one.addCheckpoint(await honest.request(0, 10, log)),
      one.addCheckpoint(await other.request(0, 10, log)),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 409]);
  });

  test("what cannot be kept is not cosigned", async () => {
    const state: WitnessState = {
      load: () => null,
      save() {
        throw new Error("disk full");
      },
    };
    expect((await witness(state).addCheckpoint(await honest.request(0, 10, log))).status).toBe(500);
  });
});

describe("the program", () => {
  test("its state outlives it, over HTTP", async () => {
    const path = join(folder, "state.json");
    const first = await serve(witness(new FileState(path)), "127.0.0.1", 0);
    const post = (url: string, body: Uint8Array, address = "/add-checkpoint") =>
      fetch(url + address, { method: "POST", body: new Uint8Array(body) });
    expect((await post(first.url, await honest.request(0, 12, log))).status).toBe(200);
    expect((await post(first.url, new Uint8Array(200_000))).status).toBe(400);
    expect((await post(first.url, new Uint8Array(0), "/")).status).toBe(404);
    expect((await fetch(`${first.url}/add-checkpoint`)).status).toBe(404);
    await first.stop();
    expect(statSync(path).mode & 0o077).toBe(0);
    const second = await serve(witness(new FileState(path)), "127.0.0.1", 0);
    const refused = await post(second.url, await other.request(0, 12, log));
    expect(refused.status).toBe(409);
    expect(refused.headers.get("content-type")).toBe("text/x.tlog.size");
    expect(await refused.text()).toBe("12\n");
    await second.stop();
  });

  test("R2 a state that is torn, of another form, or written by another process is never taken for a new one", () => {
    const path = join(folder, "torn.json");
    new FileState(path).save(ORIGIN, { size: 5, root: "ab".repeat(32) });
    const whole = readFileSync(path, "utf8");
    for (let cut = 0; cut < whole.length - 1; cut++) {
      writeFileSync(path, whole.slice(0, cut));
      expect(() => new FileState(path), `cut at ${cut}`).toThrow(/torn\.json is not a witness's state/);
    }
    for (const bad of [
      "null",
      "[]",
      '{"a":1}',
      '{"a":{"size":-1,"root":""}}',
      '{"a":{"size":1,"root":"zz"}}',
    ]) {
      writeFileSync(path, bad);
      expect(() => new FileState(path), bad).toThrow(/not a witness's state/);
    }
    writeFileSync(path, whole);
    // What a crash left half-written beside it does not count.
    writeFileSync(`${path}.new`, "{");
    const [one, two] = [new FileState(path), new FileState(path)];
    expect(one.load(ORIGIN)?.size).toBe(5);
    one.save(ORIGIN, { size: 6, root: "cd".repeat(32) });
    expect(() => two.save(ORIGIN, { size: 7, root: "ef".repeat(32) })).toThrow(/another process/);
    expect(new FileState(path).load(ORIGIN)?.size).toBe(6);
  });

  test("a key is made once, is private, and is refused when others can read it", async () => {
    await expect(makeKey("witness.example", join(folder, "key"))).rejects.toThrow(/EEXIST/);
    await expect(makeKey("not a name", join(folder, "key2"))).rejects.toThrow(/name/);
    const open = join(folder, "open");
    writeFileSync(open, readFileSync(join(folder, "key")), { mode: 0o644 });
    await expect(readKey(open)).rejects.toThrow(/chmod 600/);
  });
});
