import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_HELD_TOKEN, SecretMasker } from "../http/secrets.ts";
import {
  ByteQueue,
  encodePiece,
  encodeReference,
  messageOf,
  pieceOf,
  readPiece,
  readReference,
  starsOf,
} from "../pieces.ts";
import { CastReader, castHeader, castResize } from "./asciicast.ts";
import { channelMessage, readClientFrame, readServerFrame } from "./channels.ts";
import { adler32 } from "./inflate.ts";
import { readProtobufIdentity } from "./protobuf.ts";
import { spdyDictionary } from "./spdy.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";

describe("channel frames", () => {
  test("a client may send stdin, sizes and the end of stdin", () => {
    expect(readClientFrame(Uint8Array.of(0, 65), "v5.channel.k8s.io")).toEqual({
      t: "stdin",
      bytes: Uint8Array.of(65),
    });
    const size = channelMessage(4, encoder.encode('{"Width":80,"Height":24}'));
    expect(readClientFrame(size, "v4.channel.k8s.io")).toEqual({ t: "resize", columns: 80, rows: 24 });
    expect(readClientFrame(Uint8Array.of(255, 0), "v5.channel.k8s.io")).toEqual({ t: "close", channel: 0 });
  });
  test.each([
    ["empty", Uint8Array.of()],
    ["stdout", Uint8Array.of(1, 65)],
    ["error", Uint8Array.of(3, 65)],
    ["close of stdout", Uint8Array.of(255, 1)],
    ["unknown", Uint8Array.of(9)],
    ["bad size", channelMessage(4, encoder.encode('{"Width":-1,"Height":24}'))],
    ["too large", new Uint8Array(300 * 1024)],
  ])("K5 %s is refused", (_, message) => {
    expect(typeof readClientFrame(message, "v5.channel.k8s.io")).toBe("string");
  });
  test("v4 has no close", () => {
    expect(typeof readClientFrame(Uint8Array.of(255, 0), "v4.channel.k8s.io")).toBe("string");
  });
  test("a server's frames", () => {
    expect(readServerFrame(Uint8Array.of(1, 65))).toEqual({ t: "stdout", bytes: Uint8Array.of(65) });
    expect(readServerFrame(channelMessage(3, encoder.encode("{}")))).toEqual({ t: "status", text: "{}" });
    expect(typeof readServerFrame(Uint8Array.of(0, 65))).toBe("string");
  });
});

describe("credentials are masked however the stream is cut", () => {
  const pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----";
  const masked = (text: string, cuts: readonly number[]) => {
    const masker = new SecretMasker();
    const bytes = encoder.encode(text);
    let out = "";
    let from = 0;
    const stream = new TextDecoder();
    for (const cut of [...cuts, bytes.length]) {
      const to = Math.min(Math.max(cut, from), bytes.length);
      out += stream.decode(masker.push(bytes.slice(from, to)), { stream: true });
      from = to;
    }
    return out + stream.decode(masker.flush());
  };
  test.each([
    ["a JSON Web Token", `token: ${jwt}\n`],
    ["a private key", `x\n${pem}\ny`],
    ["a provider token", `export GH=ghp_${"a".repeat(36)};`],
    ["an access key", "id AKIAABCDEFGHIJKLMNOP é"],
  ])("%s", (_, text) => {
    const whole = masked(text, []);
    expect(whole).toContain("*****");
    expect(whole).not.toContain(jwt);
    expect(whole).not.toContain("MIIEow");
    for (let i = 0; i <= text.length; i++) expect(masked(text, [i])).toBe(whole);
  });
  test("any cuts give the same text of the same length", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 12 }), (cuts) => {
        const text = `é ${jwt} plain ${pem} sk_live_0123456789abcdefgh end`;
        expect(
          masked(
            text,
            cuts.sort((a, b) => a - b),
          ),
        ).toBe(masked(text, []));
      }),
    );
  });
  test("plain text passes at once, a long run is not held for ever", () => {
    const masker = new SecretMasker();
    expect(decoder.decode(masker.push(encoder.encode("total 8\n$ ")))).toBe("total 8\n$ ");
    const long = new SecretMasker();
    let out = "";
    for (let i = 0; i < 20; i++)
      out += decoder.decode(long.push(encoder.encode(`${i === 0 ? "eyJ" : ""}${"a".repeat(1000)}`)));
    expect(long.held).toBeLessThanOrEqual(MAX_HELD_TOKEN);
    expect(out).not.toContain("aaaa");
    expect(decoder.decode(long.push(encoder.encode(" then\n")))).toContain("then");
  });
});

test("a terminal's recording puts cut characters together, each stream's by itself", () => {
  const cast = new CastReader();
  cast.line(castHeader({ width: 80, height: 24, timestamp: 1, command: "sh\u0007", title: "t" }));
  const [out, err] = [encoder.encode("é out\n"), encoder.encode("ü err\n")];
  for (let i = 0; i < out.length; i++) {
    for (const [kind, bytes] of [
      ["stdout", out],
      ["stderr", err],
    ] as const) {
      const piece = readPiece(encodePiece({ kind, n: 7, ms: 500, bytes: Uint8Array.of(bytes[i]!) }));
      expect(piece).toMatchObject({ kind, n: 7, ms: 500 });
      cast.piece(piece!);
    }
  }
  cast.line(castResize(100, 30, 1000));
  cast.piece({ kind: "stdin", n: 7, ms: 1500, bytes: encoder.encode("ls\n") });
  cast.piece({ kind: "answered", n: 7, ms: 1500, bytes: encoder.encode("a body") });
  const [header, ...events] = cast.lines.map((line) => JSON.parse(line));
  expect(header).toMatchObject({ version: 2, width: 80, command: "sh " });
  const text = (wanted: string) =>
    events
      .filter(([, kind]) => kind === wanted)
      .map(([, , data]) => data)
      .join("");
  expect([...text("o")].sort()).toEqual([..."é out\nü err\n"].sort());
  expect(text("i")).toBe("ls\n");
  expect(events).toContainEqual([1, "r", "100x30"]);
  expect(readPiece(Uint8Array.of(9, 0, 0, 0, 1, 0, 0, 0, 0))).toBeNull();
  expect(readPiece(new Uint8Array(5))).toBeNull();
});

test("a reference stands for exactly the piece that was shown", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(400), { maxLength: 8 }),
      fc.array(fc.nat(400), { maxLength: 8 }),
      (cuts, others) => {
        const text = encoder.encode(`é ${jwt} plain words sk_live_0123456789abcdefgh, the end`);
        const parts = (at: readonly number[]) => {
          const ends = [...at.filter((one) => one < text.length), text.length].sort((a, b) => a - b);
          return ends.map((end, i) => text.subarray(i === 0 ? 0 : ends[i - 1], end));
        };
        // What the connector has of it is cut elsewhere than what the edge masked.
        const kept = new ByteQueue();
        for (const part of parts(others)) kept.push(part);
        const raw = new ByteQueue();
        const masker = new SecretMasker();
        const show = (shown: Uint8Array) => {
          const piece = { kind: "stdout", n: 3, ms: 9, bytes: shown } as const;
          const message = messageOf(piece, starsOf(raw.take(shown.length)!, shown))!;
          expect(readPiece(message)).toBeNull();
          const reference = readReference(message)!;
          expect(pieceOf(reference, kept.take(reference.length)!)).toEqual(encodePiece(piece));
        };
        for (const part of parts(cuts)) {
          raw.push(part);
          show(masker.push(part));
        }
        show(masker.flush());
        expect([kept.size, kept.take(1)]).toEqual([0, null]);
      },
    ),
  );
  const outside = encodeReference({ kind: "stderr", n: 1, ms: 1, length: 4, stars: [[3, 2]] });
  expect(readReference(outside)).toBeNull();
  expect(readReference(outside.subarray(0, 15))).toBeNull();
});

test("the SPDY dictionary is the one of the draft", () => {
  expect(spdyDictionary().length).toBe(1423);
  expect(adler32(spdyDictionary()).toString(16)).toBe("e3c6a7c2");
});

describe("protobuf bodies", () => {
  const field = (number: number, bytes: Uint8Array | string) => {
    const data = typeof bytes === "string" ? encoder.encode(bytes) : bytes;
    return Uint8Array.from([number * 8 + 2, data.length, ...data]);
  };
  const join = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
  const body = (meta: Uint8Array) =>
    join(
      Uint8Array.of(0x6b, 0x38, 0x73, 0),
      field(1, join(field(1, "v1"), field(2, "Secret"))),
      field(2, field(1, meta)),
    );
  test("name, namespace and labels", () => {
    const meta = join(field(1, "web"), field(3, "shop"), field(11, join(field(1, "app"), field(2, "x"))));
    expect(readProtobufIdentity(body(meta))).toMatchObject({
      apiVersion: "v1",
      kind: "Secret",
      name: "web",
      namespace: "shop",
      labels: { app: "x" },
    });
  });
  test("a name given twice is refused, and so is every cut", () => {
    expect(readProtobufIdentity(body(join(field(1, "a"), field(1, "b"))))).toBeNull();
    const whole = body(join(field(1, "web"), field(3, "shop")));
    for (let i = 0; i < whole.length; i++) expect(readProtobufIdentity(whole.subarray(0, i))).toBeNull();
  });
});
