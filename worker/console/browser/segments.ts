/**
 * The segments of a recording, fetched as they are needed, some ahead. Each is held against the digest that the
 * store has of it and against the one before it, as far as both were fetched.
 */
import { readSegment, type Segment } from "../../../wire/recording-chain.ts";

export interface SegmentInfo {
  readonly sequence: number;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
}

/** What the edge says of a recording. */
interface Listing {
  readonly reading: string;
  readonly segments: readonly SegmentInfo[];
  /** True when the session is over. */
  readonly ended: boolean;
}

/** Something that keeps the recording from being shown, in words for the person. */
export class ReadingError extends Error {}

/** The edge did not answer, or not now: asking again may help. */
export class Unanswered extends Error {}

/**
 * Asks until there is an answer, or `wanted` says that nobody waits for it any more (null). `told` gets the words for
 * the person while there is none. Throws what asking again does not change.
 */
export async function untilAnswered<Answer>(
  ask: () => Promise<Answer>,
  told: (words: string) => void,
  wanted: () => boolean,
): Promise<Answer | null> {
  for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(2 * wait, LAST_PAUSE_MS)) {
    try {
      const answer = await ask();
      return wanted() ? answer : null;
    } catch (error) {
      if (!wanted()) return null;
      if (!(error instanceof Unanswered)) throw error;
      told(error.message);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (!wanted()) return null;
  }
}

type Read = Segment & { readonly ok: true };

/** Bytes of segments, as they are stored, that are kept in memory. */
const KEPT = 24 * 1024 * 1024;
/** Segments that are kept read. */
const KEPT_READ = 4;
/** Segments fetched ahead of the one that is read. */
const AHEAD = 5;
/** An answer of which nothing comes for so long is given up and asked for again, milliseconds. */
const STALL_MS = 20_000;
/** The first and the longest pause before an edge that does not answer is asked again, milliseconds. */
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 15_000;
/** How often in a row a new reading may be refused at once, before that is told instead of trying on. */
const REFUSALS = 3;

export class Segments {
  readonly list: SegmentInfo[] = [];
  ended = false;
  /** Segments that were fetched and are what the store says and follow the one before. */
  readonly verified = new Set<number>();
  readonly #path: string;
  #reading = "";
  /** The question for what came since, while it is under way: two at once would both be told the same segments. */
  #asking: Promise<boolean> | null = null;
  /** Readings in a row that were refused as soon as they had begun. */
  #refused = 0;
  /** Bytes as they are stored, by place; those that were asked for last come last. */
  #cache = new Map<number, Promise<Uint8Array>>();
  #cached = 0;
  /** Segments that were read last: as large as they are when nothing is compressed. */
  #read = new Map<number, Read>();

  constructor(session: string) {
    this.#path = `/recordings/${session}/segments`;
  }

  /** Bytes of all segments that are known. */
  get size(): number {
    return this.list.reduce((sum, one) => sum + one.size, 0);
  }

  /** Asks for segments that came since; true when there are some, or the session has ended since. */
  refresh(): Promise<boolean> {
    this.#asking ??= this.#refresh().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #refresh(): Promise<boolean> {
    const after = this.list.at(-1)?.sequence ?? -1;
    const headers: Record<string, string> = this.#reading === "" ? {} : { "wicket-reading": this.#reading };
    const { status, bytes } = await get(`${this.#path}?after=${after}`, headers);
    if (status === 404) throw new ReadingError("There is no such recording, or it is not yours to see.");
    if (status !== 200) throw new ReadingError(`The edge answered ${status}. Load the page again.`);
    const listing = listingFrom(bytes);
    this.#reading = listing.reading;
    const changed = listing.segments.length > 0 || listing.ended !== this.ended;
    this.list.push(...listing.segments);
    this.ended = listing.ended;
    return changed;
  }

  /** The segment at this place of the list; those behind it are fetched too, and read when they are asked for. */
  async read(index: number): Promise<Read> {
    const known = this.#read.get(index);
    if (known) return known;
    const bytes = this.#fetch(index);
    // What is shown first does not wait for what comes after it.
    if (this.verified.size === 0) await bytes;
    for (let next = index + 1; next <= Math.min(index + AHEAD, this.list.length - 1); next++) {
      void this.#fetch(next).catch(() => undefined);
    }
    const segment = this.#check(index, await bytes);
    this.#read.set(index, segment);
    const [oldest] = this.#read.keys();
    if (this.#read.size > KEPT_READ) this.#read.delete(oldest!);
    return segment;
  }

  #fetch(index: number): Promise<Uint8Array> {
    let kept = this.#cache.get(index);
    if (kept) {
      this.#cache.delete(index);
    } else {
      kept = this.#load(this.list[index]!);
      this.#cached += this.list[index]!.size;
      kept.catch(() => this.#drop(index));
    }
    this.#cache.set(index, kept);
    for (const oldest of this.#cache.keys()) {
      if (this.#cached <= KEPT || oldest === index) break;
      this.#drop(oldest);
    }
    return kept;
  }

  #drop(index: number): void {
    if (this.#cache.delete(index)) this.#cached -= this.list[index]!.size;
  }

  /** The bytes of a segment, which are those that the store says. Others are asked for once more before that is told. */
  async #load(info: SegmentInfo): Promise<Uint8Array> {
    for (const last of [false, true]) {
      const bytes = await this.#ask(`${this.#path}/${info.sequence}`);
      const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      const digest = Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
      if (digest === info.digest) return bytes;
      if (last) break;
    }
    throw new ReadingError(`Segment ${info.sequence} is not what was stored.`);
  }

  async #ask(path: string): Promise<Uint8Array<ArrayBuffer>> {
    let answer = await get(path, { "wicket-reading": this.#reading });
    if (answer.status === 403) {
      // The ticket of this reading is over: whoever still may read begins another, which is told of again.
      await this.refresh();
      answer = await get(path, { "wicket-reading": this.#reading });
    }
    if (answer.status === 403 && ++this.#refused <= REFUSALS)
      throw new Unanswered("The reading was over before it was answered; asking again.");
    if (answer.status !== 200)
      throw new ReadingError(`The edge answered ${answer.status}. Load the page again.`);
    this.#refused = 0;
    return answer.bytes;
  }

  #check(index: number, bytes: Uint8Array): Read {
    const { sequence } = this.list[index]!;
    const segment = readSegment(bytes);
    if (!segment.ok && segment.code === "SEGMENT_SEALED")
      throw new ReadingError("This recording is sealed: only its auditors can read it. Load the page again.");
    if (!segment.ok) throw new ReadingError(`Segment ${sequence} cannot be read: ${segment.message}.`);
    if (segment.header.prev !== (this.list[index - 1]?.digest ?? null))
      throw new ReadingError(`Segment ${sequence} does not follow the one before it.`);
    this.verified.add(sequence);
    return segment;
  }
}

function listingFrom(bytes: Uint8Array): Listing {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Listing;
  } catch {
    throw new Unanswered("The edge's answer is not one; asking again.");
  }
}

/**
 * Any whole answer that is one: not a failure of the moment, and not the way to the login. An answer that breaks off,
 * or of which nothing comes for a while, is a failure of the moment too.
 */
async function get(
  path: string,
  headers: Record<string, string>,
): Promise<{ readonly status: number; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const stop = new AbortController();
  let stalled = setTimeout(() => stop.abort(), STALL_MS);
  const alive = (): void => {
    clearTimeout(stalled);
    stalled = setTimeout(() => stop.abort(), STALL_MS);
  };
  const failed = (what: string) => (): never => {
    throw new Unanswered(`${what}; asking again.`);
  };
  try {
    const answer = await fetch(path, { headers, redirect: "manual", signal: stop.signal }).catch(
      failed("The edge does not answer"),
    );
    const { status, type } = answer;
    if (type === "opaqueredirect" || status === 401)
      throw new ReadingError("You are signed out. Load the page again.");
    if (status >= 500 || status === 429) throw new Unanswered(`The edge answered ${status}; asking again.`);
    alive();
    const bytes = await wholeBody(answer, alive).catch(failed("The edge's answer broke off"));
    return { status, bytes };
  } finally {
    clearTimeout(stalled);
  }
}

async function wholeBody(answer: Response, progress: () => void): Promise<Uint8Array<ArrayBuffer>> {
  const reader = answer.body?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader?.read(); part && !part.done; part = await reader!.read()) {
    progress();
    parts.push(part.value);
    size += part.value.length;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
