/** Recordings in R2: one immutable object a segment, created and never written again. */
import { segmentKey } from "../../wire/recording.ts";

export interface StoredSegment {
  readonly sequence: number;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
}

/**
 * Creates a segment. `same` when it is there with the same bytes, `different` when with others. R2 checks the
 * digest while it writes. Throws when R2 does not take it.
 */
export async function putSegment(
  bucket: R2Bucket,
  session: string,
  sequence: number,
  bytes: Uint8Array,
  digest: string,
): Promise<"created" | "same" | "different"> {
  const key = segmentKey(session, sequence);
  let failure: unknown = null;
  try {
    const put = await bucket.put(key, bytes, {
      onlyIf: { etagDoesNotMatch: "*" },
      sha256: digest,
      httpMetadata: { contentType: "application/octet-stream" },
    });
    if (put) return "created";
  } catch (error) {
    failure = error;
  }
  const there = await bucket.head(key);
  // A bucket lock may refuse what the condition would have: then the segment is there. Else the store failed.
  if (!there && failure) throw failure;
  return there !== null && digestOfObject(there) === digest ? "same" : "different";
}

/** The segments of a session that are stored, in order; only those after number `after`, when it is given. */
export async function listSegments(bucket: R2Bucket, session: string, after = -1): Promise<StoredSegment[]> {
  const prefix = `recordings/${session}/`;
  const startAfter = after < 0 ? {} : { startAfter: segmentKey(session, after) };
  const segments: StoredSegment[] = [];
  let cursor: string | undefined;
  do {
    const page: R2Objects = await bucket.list({ prefix, ...(cursor ? { cursor } : startAfter) });
    for (const object of page.objects) {
      const sequence = Number(object.key.slice(prefix.length));
      segments.push({ sequence, size: object.size, digest: digestOfObject(object) });
    }
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return segments.sort((a, b) => a.sequence - b.sequence);
}

/** One segment; null when it is not there. */
export function getSegment(
  bucket: R2Bucket,
  session: string,
  sequence: number,
): Promise<R2ObjectBody | null> {
  return bucket.get(segmentKey(session, sequence));
}

function digestOfObject(object: R2Object): string {
  const sum = object.checksums.sha256;
  let text = "";
  for (const byte of new Uint8Array(sum ?? new ArrayBuffer(0))) text += byte.toString(16).padStart(2, "0");
  return text;
}
