/**
 * Small arrays out of larger ones: an array of its own costs more than what is written into most. No byte is given out
 * twice, so a part may be kept or sent for as long as its owner likes; it keeps the rest of its slab in memory so long.
 * So a slab is for what goes the same way: of parts that wait together, little more is kept than they are.
 */

/** Bytes of a slab. */
const SLAB = 16 * 1024;

export class Slab {
  #bytes = new Uint8Array(0);
  #used = 0;

  /** An array of zeros. Those of a quarter of a slab and more are arrays of their own. */
  take(size: number): Uint8Array {
    if (size > SLAB / 4) return new Uint8Array(size);
    if (this.#used + size > this.#bytes.length) {
      this.#bytes = new Uint8Array(SLAB);
      this.#used = 0;
    }
    const part = this.#bytes.subarray(this.#used, this.#used + size);
    this.#used += size;
    return part;
  }
}
