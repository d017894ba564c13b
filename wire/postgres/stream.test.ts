import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat } from "../bytes.ts";
import { MessageWriter } from "./cursor.ts";
import { type MessageSink, MessageStream, Oversize, treatments, Verdict, type Violation } from "./stream.ts";

const whole = 0x57; // W
const streamed = 0x44; // D
const dropped = 0x78; // x
const replaced = 0x72; // r
const types = treatments([whole, dropped, replaced], [streamed]);
const maxMessage = 64;
const replacement = Uint8Array.of(1, 2, 3);

const message = (type: number, size: number, fill = 7) =>
  new MessageWriter().begin(type).raw(new Uint8Array(size).fill(fill)).end().bytes();

class Sink implements MessageSink {
  readonly log: string[] = [];
  readonly out: Uint8Array[] = [];
  verdict: (type: number) => Verdict = (type) =>
    type === dropped ? Verdict.Drop : type === replaced ? replacement : Verdict.Pass;
  message(type: number, _bytes: Uint8Array, start: number, end: number): Verdict {
    this.log.push(`${String.fromCharCode(type)}${end - start}`);
    return this.verdict(type);
  }
  streamed(type: number, size: number): Verdict {
    this.log.push(`${String.fromCharCode(type)}:${size}`);
    return this.verdict(type);
  }
  oversize(type: number, size: number): number {
    this.log.push(`over ${String.fromCharCode(type)}${size}`);
    return type === dropped ? Oversize.Refuse : 10;
  }
  truncated(type: number, bytes: Uint8Array, size: number): Verdict {
    this.log.push(`cut ${String.fromCharCode(type)}${bytes.length}/${size}`);
    return replacement;
  }
  violation(what: Violation): Uint8Array {
    this.log.push(what);
    return Uint8Array.of(9);
  }
  emit(bytes: Uint8Array): void {
    this.out.push(bytes.slice());
  }
}

function run(
  chunks: readonly Uint8Array[],
  sink = new Sink(),
): { log: string[]; out: number[]; stream: MessageStream } {
  const stream = new MessageStream(sink, { types, maxMessage });
  for (const chunk of chunks) stream.push(chunk.slice());
  return { log: sink.log, out: [...concat([...sink.out, new Uint8Array(0)])], stream };
}

const anyMessage = fc
  .record({ type: fc.constantFrom(whole, streamed, replaced, dropped), size: fc.nat(120), fill: fc.nat(255) })
  .filter(({ type, size }) => type !== dropped || size + 5 <= maxMessage)
  .map(({ type, size, fill }) => ({ type, size, bytes: message(type, size, fill) }));

describe("MessageStream", () => {
  test("P5 gives the same whatever the chunks are", () => {
    fc.assert(
      fc.property(
        fc.array(anyMessage, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        (messages, cuts) => {
          const bytes = concat([...messages.map((one) => one.bytes), new Uint8Array(0)]);
          const expected = run([bytes]);
          const chunks: Uint8Array[] = [];
          let at = 0;
          for (const cut of cuts) {
            chunks.push(bytes.subarray(at, at + cut));
            at += cut;
          }
          chunks.push(bytes.subarray(at));
          const cutUp = run(chunks);
          expect(cutUp.log).toEqual(expected.log);
          expect(cutUp.out).toEqual(expected.out);
          const model = messages.flatMap(({ type, size, bytes: one }) => {
            if (type === dropped) return [];
            if (type === replaced || (type === whole && size + 5 > maxMessage)) return [...replacement];
            return [...one];
          });
          expect(expected.out).toEqual(model);
          expect(expected.stream.buffered).toBe(0);
          expect(expected.stream.atBoundary).toBe(true);
        },
      ),
    );
  });

  test("P5 cut at every byte, and byte by byte", () => {
    const bytes = concat([
      message(whole, 3),
      message(streamed, 100),
      message(replaced, 0),
      message(whole, 100),
      message(dropped, 8),
      message(streamed, 0),
      message(whole, 59),
    ]);
    const expected = run([bytes]);
    expect(expected.log).toEqual(["W3", "D:105", "r0", "over W105", "cut W10/105", "x8", "D:5", "W59"]);
    for (let at = 0; at <= bytes.length; at++) {
      const { log, out } = run([bytes.subarray(0, at), bytes.subarray(at)]);
      expect({ log, out }).toEqual({ log: expected.log, out: expected.out });
    }
    const single = run(Array.from(bytes, (byte) => Uint8Array.of(byte)));
    expect(single.out).toEqual(expected.out);
    expect(single.log).toEqual(expected.log);
  });

  test("a chunk that passes whole is emitted as it is, without a copy", () => {
    const emitted: Uint8Array[] = [];
    const sink = new Sink();
    sink.emit = (bytes) => emitted.push(bytes);
    const stream = new MessageStream(sink, { types, maxMessage });
    const chunk = concat([message(whole, 3), message(streamed, 500), message(streamed, 9).subarray(0, 7)]);
    stream.push(chunk);
    expect(emitted[0]).toBe(chunk);
    expect(stream.atBoundary).toBe(false);
    const rest = concat([message(streamed, 9).subarray(7), message(whole, 1)]);
    stream.push(rest);
    expect(emitted.slice(1).every((view) => view.buffer === rest.buffer)).toBe(true);
  });

  test("P5 length lies and unknown types stop the stream, after what came before", () => {
    const lie = (length: number) => Uint8Array.of(whole, length >>> 24, length >>> 16, length >>> 8, length);
    for (const [bad, name] of [
      [lie(3), "INVALID_LENGTH"],
      [lie(0), "INVALID_LENGTH"],
      [lie(-1), "INVALID_LENGTH"],
      [lie(0x7fffffff), "INVALID_LENGTH"],
      [lie(0x40000000), "INVALID_LENGTH"],
      [Uint8Array.of(0x21, 0, 0, 0, 4), "UNKNOWN_TYPE"],
      [message(dropped, 200), "TOO_LARGE"],
    ] as const) {
      const bytes = concat([message(whole, 1), bad, message(whole, 2)]);
      for (let at = 0; at <= bytes.length; at++) {
        const { log, out, stream } = run([bytes.subarray(0, at), bytes.subarray(at)]);
        expect(log.at(-1)).toBe(name);
        expect(out).toEqual([...message(whole, 1), 9]);
        expect(stream.stopped).toBe(true);
        expect(stream.buffered).toBe(0);
      }
    }
  });

  test("wire-19 a length of 1 GiB costs no memory", () => {
    const { stream, log } = run([Uint8Array.of(whole, 0x3f, 0xff, 0xff, 0xff), new Uint8Array(100_000)]);
    expect(log).toEqual([`over W${0x3fffffff + 1}`]);
    expect(stream.buffered).toBe(10);
  });

  test("waits, keeps order, and goes on", () => {
    const bytes = concat([message(whole, 1), message(replaced, 2), message(streamed, 90), message(whole, 3)]);
    for (let at = 0; at <= bytes.length; at++) {
      const sink = new Sink();
      let open = false;
      sink.verdict = (type) => (type === replaced ? (open ? replacement : Verdict.Wait) : Verdict.Pass);
      const stream = new MessageStream(sink, { types, maxMessage });
      stream.push(bytes.slice(0, at));
      stream.push(bytes.slice(at));
      expect(concat([...sink.out, new Uint8Array(0)])).toEqual(message(whole, 1));
      expect(stream.waiting).toBe(true);
      expect(stream.buffered).toBe(bytes.length - 6);
      stream.resume();
      expect(stream.waiting).toBe(true);
      open = true;
      stream.resume();
      expect([...concat(sink.out)]).toEqual([
        ...message(whole, 1),
        ...replacement,
        ...message(streamed, 90),
        ...message(whole, 3),
      ]);
      expect(stream.buffered).toBe(0);
    }
  });

  test("stops where the sink says so", () => {
    const sink = new Sink();
    sink.verdict = (type) => (type === replaced ? Verdict.Stop : Verdict.Pass);
    const { out, stream } = run([concat([message(whole, 1), message(replaced, 1), message(whole, 1)])], sink);
    expect(out).toEqual([...message(whole, 1)]);
    expect(stream.stopped).toBe(true);
  });
});
