import { afterEach, expect, test, vi } from "vitest";
import { ReadingError, Segments, Unanswered, untilAnswered } from "./segments.ts";

afterEach(() => vi.unstubAllGlobals());

const bytes = new TextEncoder().encode("not a segment");
const info = async () => {
  const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { sequence: 0, size: bytes.length, digest: hex };
};

/** An edge that answers so; lists are told apart by `after=`. */
function answering(answer: (path: string, list: boolean) => Response | Promise<Response>): string[] {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    return answer(path, path.includes("after="));
  });
  return asked;
}

const listing = (segments: readonly object[]) => Response.json({ reading: "r", segments, ended: true });

test("two who ask at once what came since are told the same, and no segment is listed twice", async () => {
  const one = await info();
  const asked = answering(() => listing([one]));
  const segments = new Segments("s");
  await Promise.all([segments.refresh(), segments.refresh()]);
  expect(asked).toEqual(["/recordings/s/segments?after=-1"]);
  expect(segments.list).toEqual([one]);
});

test("a reading that is over at once is begun again, but not for ever", async () => {
  const one = await info();
  answering((_path, list) => (list ? listing([one]) : new Response(null, { status: 403 })));
  const segments = new Segments("s");
  await segments.refresh();
  answering((_path, list) => (list ? listing([]) : new Response(null, { status: 403 })));
  for (let i = 0; i < 3; i++) await expect(segments.read(0)).rejects.toBeInstanceOf(Unanswered);
  await expect(segments.read(0)).rejects.toBeInstanceOf(ReadingError);
});

test("other bytes than those of the store are asked for once more, then named", async () => {
  const one = await info();
  const bodies = [new Uint8Array([1]), bytes, new Uint8Array([1]), new Uint8Array([2])];
  const asked = answering((_path, list) => (list ? listing([one]) : new Response(bodies.shift()!)));
  const segments = new Segments("s");
  await segments.refresh();
  await expect(segments.read(0)).rejects.toThrow("Segment 0 cannot be read");
  expect(asked.length).toBe(3);
  const again = new Segments("s");
  await again.refresh();
  await expect(again.read(0)).rejects.toThrow("Segment 0 is not what was stored.");
});

test("what breaks off, is no answer, or fails for a moment is unanswered; a sign-out is told", async () => {
  const segments = new Segments("s");
  const broken = () =>
    new Response(new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) }));
  for (const answer of [
    broken,
    () => new Response("<html>"),
    () => new Response(null, { status: 503 }),
    () => Promise.reject(new TypeError("Failed to fetch")),
  ]) {
    answering(answer);
    await expect(segments.refresh()).rejects.toBeInstanceOf(Unanswered);
  }
  answering(() => new Response(null, { status: 401 }));
  await expect(segments.refresh()).rejects.toThrow("You are signed out.");
});

test("whoever asks until there is an answer stops when nobody waits for it", async () => {
  let wanted = true;
  const told: string[] = [];
  const asks = async (): Promise<never> => {
    throw new Unanswered("not now");
  };
  const answer = untilAnswered(
    asks,
    (words) => {
      told.push(words);
      wanted = false;
    },
    () => wanted,
  );
  expect(await answer).toBeNull();
  expect(told).toEqual(["not now"]);
});
