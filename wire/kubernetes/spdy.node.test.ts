import { constants, createDeflate, type Deflate } from "node:zlib";
import { describe, expect, test } from "vitest";
import { HeaderInflater } from "./inflate.ts";
import { ForwardReader, type ForwardStream, spdyDictionary } from "./spdy.ts";

/** Header blocks as Go's spdystream writes them: one zlib stream, a sync flush after each. */
class Blocks {
  readonly #deflate: Deflate = createDeflate({ dictionary: Buffer.from(spdyDictionary()) });

  async write(data: Buffer): Promise<Buffer> {
    const parts: Buffer[] = [];
    const collect = (part: Buffer) => parts.push(part);
    this.#deflate.on("data", collect);
    await new Promise<void>((resolve) => {
      this.#deflate.write(data, () => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    });
    this.#deflate.off("data", collect);
    return Buffer.concat(parts);
  }
}

function headerBlock(headers: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  const text = (value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(value));
    parts.push(length, Buffer.from(value));
  };
  const count = Buffer.alloc(4);
  count.writeUInt32BE(Object.keys(headers).length);
  parts.push(count);
  for (const [name, value] of Object.entries(headers)) {
    text(name);
    text(value);
  }
  return Buffer.concat(parts);
}

function control(type: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE((0x80030000 | type) >>> 0, 0);
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

async function syn(blocks: Blocks, id: number, headers: Record<string, string>): Promise<Buffer> {
  const head = Buffer.alloc(10);
  head.writeUInt32BE(id, 0);
  return control(1, Buffer.concat([head, await blocks.write(headerBlock(headers))]));
}

function data(id: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(id, 0);
  head.writeUInt32BE(text.length, 4);
  return Buffer.concat([head, Buffer.from(text)]);
}

const error = (port: string, requestid: string) => ({ streamtype: "error", port, requestid });
const stream = (port: string, requestid: string) => ({ streamtype: "data", port, requestid });

describe("K7 the ports of a port-forward are read from its stream", () => {
  async function session() {
    const blocks = new Blocks();
    return Buffer.concat([
      await syn(blocks, 1, error("8080", "0")),
      await syn(blocks, 3, stream("8080", "0")),
      data(3, "GET / HTTP/1.1\r\n\r\n"),
      await syn(blocks, 5, error("5432", "1")),
    ]);
  }
  test.each([1, 2, 5, 17, 10_000])("cut every %i bytes", async (size) => {
    const bytes = await session();
    const opened: ForwardStream[] = [];
    const reader = new ForwardReader((found) => {
      opened.push(found);
      return true;
    });
    const out: Uint8Array[] = [];
    for (let i = 0; i < bytes.length; i += size) {
      const result = reader.push(bytes.subarray(i, i + size));
      expect(result.fault).toBeNull();
      for (const part of result.bytes) out.push(part.slice());
    }
    expect(Buffer.concat(out).equals(bytes)).toBe(true);
    expect(opened.map(({ type, port, requestId }) => `${type} ${port} ${requestId}`)).toEqual([
      "error 8080 0",
      "data 8080 0",
      "error 5432 1",
    ]);
  });
  test("a stream to another port ends the session before its frame passes", async () => {
    const bytes = await session();
    const reader = new ForwardReader(({ port }) => port === 8080);
    const { bytes: passed, fault } = reader.push(bytes);
    expect(fault).toBe("SPDY_NOT_ALLOWED");
    expect(Buffer.concat(passed).includes("GET / HTTP/1.1")).toBe(true);
    expect(Buffer.concat(passed).length).toBeLessThan(bytes.length);
    expect(reader.push(data(3, "more"))).toEqual({ bytes: [], fault: "SPDY_NOT_ALLOWED" });
  });
  test.each([
    ["another header", { ...error("1", "0"), host: "x" }],
    ["no port", { streamtype: "data", requestid: "0" }],
    ["port zero", error("0", "0")],
    ["a port with a sign", error("+80", "0")],
    ["a large port", error("65536", "0")],
  ])("%s is refused", async (_, headers) => {
    const reader = new ForwardReader(() => true);
    expect(reader.push(await syn(new Blocks(), 1, headers as Record<string, string>)).fault).toBe(
      "SPDY_MALFORMED",
    );
  });
  test("frames that a client has no use for are refused", async () => {
    for (const [type, fault] of [
      [2, "SPDY_NOT_ALLOWED"],
      [8, "SPDY_NOT_ALLOWED"],
      [99, "SPDY_NOT_ALLOWED"],
    ] as const) {
      expect(new ForwardReader(() => true).push(control(type, Buffer.alloc(8))).fault).toBe(fault);
    }
    const large = control(4, Buffer.alloc(9000));
    expect(new ForwardReader(() => true).push(large).fault).toBe("SPDY_TOO_LARGE");
    expect(new ForwardReader(() => true).push(data(7, "x")).fault).toBe("SPDY_MALFORMED");
  });
});

describe("header blocks inflate within bounds", () => {
  test("many blocks share one history", async () => {
    const blocks = new Blocks();
    const inflater = new HeaderInflater(spdyDictionary(), 4096);
    for (let i = 0; i < 200; i++) {
      const block = headerBlock({
        streamtype: "data",
        port: String(1000 + i),
        requestid: String(i),
        filler: "ab".repeat(i),
      });
      const out = inflater.block(await blocks.write(block));
      expect(out === null ? null : Buffer.from(out).equals(block)).toBe(true);
    }
  });
  test("a bomb is refused, and nothing after it is read", async () => {
    const blocks = new Blocks();
    const inflater = new HeaderInflater(spdyDictionary(), 4096);
    expect(inflater.block(await blocks.write(Buffer.alloc(1_000_000)))).toBeNull();
    expect(inflater.block(await blocks.write(Buffer.from("x")))).toBeNull();
  });
  test("every cut and every flipped byte gives null or bytes, never an exception", async () => {
    const block = await new Blocks().write(headerBlock(error("8080", "0")));
    for (let i = 0; i < block.length; i++) {
      new HeaderInflater(spdyDictionary(), 4096).block(block.subarray(0, i));
      const flipped = Buffer.from(block);
      flipped[i] = flipped[i]! ^ 0x55;
      new HeaderInflater(spdyDictionary(), 4096).block(flipped);
    }
  });
});
