import fc from "fast-check";
import { expect, test } from "vitest";
import { Slab } from "./slab.ts";

test("each part is of the size that was asked for, full of zeros, and nobody else's", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(9000), { maxLength: 60 }), (sizes) => {
      const slab = new Slab();
      const parts = sizes.map((size, i) => {
        const part = slab.take(size);
        expect(part.length).toBe(size);
        expect(part.every((byte) => byte === 0)).toBe(true);
        return part.fill((i % 255) + 1);
      });
      for (const [i, part] of parts.entries())
        expect(part.every((byte) => byte === (i % 255) + 1)).toBe(true);
    }),
    { numRuns: 30 },
  );
});
