import { constants, zstdCompressSync } from "node:zlib";

/**
 * Compresses a segment's entries with Zstandard (RFC 8878) into one frame. At level 1, which costs less than to store
 * and send what it saves.
 */
export function compress(bytes: Uint8Array): Uint8Array {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}
