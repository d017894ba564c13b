/**
 * Zip files (PKWARE APPNOTE 6.3.9) as far as a recording's bundle needs them: written in one pass, read by
 * random access, one file in memory at a time. No zip64, no encryption, no directories, no data descriptors.
 * The reader takes a file from the internet: it refuses what two readers could read in two ways (duplicate
 * names, entries that overlap or disagree with the directory, bytes before, between or after), and inflates
 * no more than a file may have.
 */
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from "node:fs";
import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const LOCAL_SIZE = 30;
const CENTRAL_SIZE = 46;
const END_SIZE = 22;
const STORED = 0;
const DEFLATED = 8;
const UTF8_NAMES = 0x0800;
/** Files that an archive may have: the format's own limit. */
const MAX_FILES = 65_534;
const MAX_ARCHIVE = 0xfffffffe;
/** Largest directory that is read, bytes. */
const MAX_DIRECTORY = 16 * 1024 * 1024;

/** A zip file that cannot be read, or is none. */
export class ZipError extends Error {
  override readonly name = "ZipError";
}

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/** Writes an archive to a new file. Names are ASCII paths with `/`. */
export class ZipWriter {
  readonly #file: number;
  readonly #entries: Entry[] = [];
  #offset = 0;

  /** Creates the file; throws when it exists. Only its owner can read it. */
  constructor(path: string) {
    this.#file = openSync(path, "wx", 0o600);
  }

  /** Adds a file, deflated when that makes it smaller. */
  add(name: string, bytes: Uint8Array): void {
    if (!/^[\x21-\x7e]{1,200}$/.test(name)) throw new ZipError(`not a name for a bundle: ${name}`);
    const deflated = deflateRawSync(bytes);
    const smaller = deflated.length < bytes.length;
    const body = smaller ? deflated : bytes;
    const entry: Entry = {
      name,
      method: smaller ? DEFLATED : STORED,
      crc: crc32(bytes),
      packed: body.length,
      size: bytes.length,
      offset: this.#offset,
    };
    if (this.#entries.length === MAX_FILES || this.#offset + body.length > MAX_ARCHIVE - MAX_DIRECTORY) {
      throw new ZipError("the recording is too large for one zip file");
    }
    const head = Buffer.alloc(LOCAL_SIZE);
    head.writeUInt32LE(LOCAL, 0);
    writeFacts(head, 4, entry);
    this.#write(Buffer.concat([head, Buffer.from(name, "ascii")]));
    this.#write(body);
    this.#entries.push(entry);
  }

  /** Writes the directory and closes the file; it is on disk then. */
  finish(): void {
    const start = this.#offset;
    for (const entry of this.#entries) {
      const record = Buffer.alloc(CENTRAL_SIZE);
      record.writeUInt32LE(CENTRAL, 0);
      record.writeUInt16LE(0x0314, 4); // made on Unix, by 2.0
      writeFacts(record, 6, entry);
      record.writeUInt32LE((0o100600 << 16) >>> 0, 38);
      record.writeUInt32LE(entry.offset, 42);
      this.#write(Buffer.concat([record, Buffer.from(entry.name, "ascii")]));
    }
    const end = Buffer.alloc(END_SIZE);
    end.writeUInt32LE(END, 0);
    end.writeUInt16LE(this.#entries.length, 8);
    end.writeUInt16LE(this.#entries.length, 10);
    end.writeUInt32LE(this.#offset - start, 12);
    end.writeUInt32LE(start, 16);
    this.#write(end);
    fsyncSync(this.#file);
    closeSync(this.#file);
  }

  /** Closes the file as it is: it will not read as a zip file. */
  abandon(): void {
    closeSync(this.#file);
  }

  #write(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) at += writeSync(this.#file, bytes, at);
    this.#offset += bytes.length;
  }
}

/** The fields that a local header and a directory record share, from "version needed" to "extra length". */
function writeFacts(record: Buffer, at: number, entry: Entry): void {
  record.writeUInt16LE(20, at);
  record.writeUInt16LE(UTF8_NAMES, at + 2);
  record.writeUInt16LE(entry.method, at + 4);
  record.writeUInt32LE(0x00210000, at + 6); // 1980-01-01: no clock in the bundle's form
  record.writeUInt32LE(entry.crc, at + 10);
  record.writeUInt32LE(entry.packed, at + 14);
  record.writeUInt32LE(entry.size, at + 18);
  record.writeUInt16LE(entry.name.length, at + 22);
}

/** An archive opened for reading. Close it. */
export class ZipReader {
  readonly #file: number;
  readonly #entries = new Map<string, Entry>();

  /** Opens an archive and reads its directory. Throws `ZipError`, or what the file system says. */
  constructor(path: string) {
    this.#file = openSync(path, "r");
    try {
      this.#readDirectory();
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** Names of the files, in the order of the directory. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Size of a file when it is unpacked, as the directory says; null when there is no such file. */
  size(name: string): number | null {
    return this.#entries.get(name)?.size ?? null;
  }

  /** A file's bytes, at most `limit` of them; null when there is no such file. Throws `ZipError`. */
  read(name: string, limit: number): Uint8Array | null {
    const entry = this.#entries.get(name);
    if (!entry) return null;
    if (entry.size > limit) throw new ZipError(`${name} is larger than ${limit} bytes`);
    const body = this.#bytes(this.#bodyAt(entry), entry.packed);
    const bytes = entry.method === STORED ? body : inflate(name, body, entry.size);
    if (bytes.length !== entry.size) throw new ZipError(`${name} is not of the size that the directory says`);
    if (crc32(bytes) !== entry.crc) throw new ZipError(`${name} is damaged (CRC-32)`);
    return bytes;
  }

  close(): void {
    closeSync(this.#file);
  }

  #bodyAt(entry: Entry): number {
    return entry.offset + LOCAL_SIZE + entry.name.length;
  }

  #bytes(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    let got = 0;
    while (got < length) {
      const read = readSync(this.#file, bytes, got, length - got, at + got);
      if (read === 0) throw new ZipError("the zip file is cut off");
      got += read;
    }
    return bytes;
  }

  #readDirectory(): void {
    const length = fstatSync(this.#file).size;
    if (length < END_SIZE || length > MAX_ARCHIVE) throw new ZipError("not a bundle of a recording");
    const end = this.#bytes(length - END_SIZE, END_SIZE);
    const count = end.readUInt16LE(8);
    const size = end.readUInt32LE(12);
    const start = end.readUInt32LE(16);
    const whole =
      end.readUInt32LE(0) === END &&
      end.readUInt32LE(4) === 0 &&
      end.readUInt16LE(10) === count &&
      end.readUInt16LE(20) === 0 &&
      size <= MAX_DIRECTORY &&
      start + size === length - END_SIZE;
    if (!whole) throw new ZipError("not a bundle of a recording, or its end is cut off");
    const directory = this.#bytes(start, size);
    let at = 0;
    let expected = 0;
    for (let i = 0; i < count; i++) {
      const entry = readRecord(directory, at);
      if (!entry) throw new ZipError("the zip file's directory is damaged");
      at += CENTRAL_SIZE + entry.name.length;
      if (this.#entries.has(entry.name)) throw new ZipError(`${entry.name} is twice in the zip file`);
      if (entry.offset !== expected) throw new ZipError(`${entry.name} is not where it belongs`);
      expected = this.#bodyAt(entry) + entry.packed;
      if (expected > start) throw new ZipError(`${entry.name} is cut off`);
      this.#checkLocal(entry);
      this.#entries.set(entry.name, entry);
    }
    if (at !== size || expected !== start) throw new ZipError("the zip file has bytes of no file");
  }

  #checkLocal(entry: Entry): void {
    const head = this.#bytes(entry.offset, LOCAL_SIZE + entry.name.length);
    const expected = Buffer.alloc(LOCAL_SIZE);
    expected.writeUInt32LE(LOCAL, 0);
    writeFacts(expected, 4, entry);
    if (!head.equals(Buffer.concat([expected, Buffer.from(entry.name, "ascii")]))) {
      throw new ZipError(`${entry.name} does not agree with the directory`);
    }
  }
}

function readRecord(directory: Buffer, at: number): Entry | null {
  if (at + CENTRAL_SIZE > directory.length || directory.readUInt32LE(at) !== CENTRAL) return null;
  const nameLength = directory.readUInt16LE(at + 28);
  const extras = directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  const end = at + CENTRAL_SIZE + nameLength;
  if (extras !== 0 || end > directory.length) return null;
  const name = directory.toString("latin1", at + CENTRAL_SIZE, end);
  const method = directory.readUInt16LE(at + 10);
  // Another flag, such as that of encryption, would make other readers see other bytes.
  if (directory.readUInt16LE(at + 8) !== UTF8_NAMES) return null;
  if (!/^[\x21-\x7e]{1,200}$/.test(name) || (method !== STORED && method !== DEFLATED)) return null;
  return {
    name,
    method,
    crc: directory.readUInt32LE(at + 16),
    packed: directory.readUInt32LE(at + 20),
    size: directory.readUInt32LE(at + 24),
    offset: directory.readUInt32LE(at + 42),
  };
}

function inflate(name: string, packed: Buffer, size: number): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, size) });
  } catch {
    throw new ZipError(`${name} does not unpack`);
  }
}
