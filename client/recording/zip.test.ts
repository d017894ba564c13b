import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { utf8 } from "../../wire/log/bytes.ts";
import { openBundleFile } from "./bundle.ts";
import { bundleOf, type Files, keysOf, newParties } from "./test-bundle.ts";
import { verifyRecording } from "./verify.ts";
import { ZipError, ZipReader, ZipWriter } from "./zip.ts";

describe("R7 the zip file", () => {
  const folder = mkdtempSync(join(tmpdir(), "wicket-zip-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;
  const write = (files: Files) => {
    const path = join(folder, `${count++}.zip`);
    const zip = new ZipWriter(path);
    for (const [name, bytes] of files) zip.add(name, bytes);
    zip.finish();
    return path;
  };

  test("reads as written, and verifies", async () => {
    const parties = await newParties();
    const path = write(await bundleOf("s_1", "", parties));
    const { bundle, close } = openBundleFile(path);
    const report = await verifyRecording(bundle, keysOf(parties.log, parties.connector, parties.witness));
    close();
    expect(report.ok).toBe(true);
    expect(() => new ZipWriter(path)).toThrow(/EEXIST/);
  });

  test("cut at every byte it is refused; with any byte changed it is refused or fails", async () => {
    const small: Files = new Map([
      ["a", utf8("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
      ["b/c", utf8("x")],
    ]);
    const bytes = readFileSync(write(small));
    const path = join(folder, "changed.zip");
    const readAll = () => {
      const zip = new ZipReader(path);
      try {
        return new Map(zip.names.map((name) => [name, Uint8Array.from(zip.read(name, 100)!)]));
      } finally {
        zip.close();
      }
    };
    for (let cut = 0; cut < bytes.length; cut++) {
      writeFileSync(path, bytes.subarray(0, cut));
      expect(readAll, `cut at ${cut}`).toThrow(ZipError);
    }
    let same = 0;
    for (let at = 0; at < bytes.length; at++) {
      const bad = Buffer.from(bytes);
      bad[at]! ^= 1 << (at % 8);
      writeFileSync(path, bad);
      try {
        const files = readAll();
        expect([...files.values()], `byte ${at}`).toEqual([...small.values()]);
        same += 1;
      } catch (error) {
        expect(error).toBeInstanceOf(ZipError);
      }
    }
    // Fields without meaning for the content: who made it, attributes, comment, the disk's numbers.
    expect(same).toBeLessThan(40);
    writeFileSync(path, Buffer.concat([bytes, Buffer.from("x")]));
    expect(readAll).toThrow(ZipError);
    writeFileSync(path, Buffer.concat([Buffer.from("x"), bytes]));
    expect(readAll).toThrow(ZipError);
  });

  test("a file that claims little and inflates to much is refused", () => {
    const path = write(new Map([["bomb", new Uint8Array(50_000_000)]]));
    const zip = new ZipReader(path);
    expect(() => zip.read("bomb", 1000)).toThrow(/larger than 1000/);
    zip.close();
    const bytes = readFileSync(path);
    // The claimed size, in the local header and in the directory.
    bytes.writeUInt32LE(900, 22);
    bytes.writeUInt32LE(900, bytes.indexOf(Buffer.from("504b0102", "hex")) + 24);
    writeFileSync(path, bytes);
    const lying = new ZipReader(path);
    expect(() => lying.read("bomb", 1000)).toThrow(ZipError);
    lying.close();
  });

  test("the same name twice is refused", () => {
    const path = join(folder, "twice.zip");
    const zip = new ZipWriter(path);
    zip.add("a", utf8("1"));
    zip.add("a", utf8("2"));
    zip.finish();
    expect(() => new ZipReader(path)).toThrow(/twice/);
  });
});
