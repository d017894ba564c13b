/** The masks as functions on JSON values. What a mask cannot say of a value becomes null. */
import type { Mask } from "../task.ts";

/** Keyed token of a text: deterministic under one key, injected by the shell. */
export type TokenOf = (text: string) => string;

type Scalar = string | number | boolean | null;

/** Masks one value that is not null. Characters are code points, as in SQL's `left` and `right`. */
export function maskScalar(mask: Mask, value: string | number | boolean, token: TokenOf | null): Scalar {
  switch (mask.kind) {
    case "null":
      return null;
    case "constant":
      return mask.value;
    case "email": {
      if (typeof value !== "string") return null;
      const parts = value.split("@");
      return `${Array.from(value)[0] ?? ""}***@${parts[1] ?? ""}`;
    }
    case "keep": {
      const characters = Array.from(String(value));
      const { first, last } = mask;
      if (characters.length <= first + last) return mask.with.repeat(characters.length);
      const hidden = characters.length - first - last;
      const head = characters.slice(0, first).join("");
      const tail = characters.slice(characters.length - last).join("");
      return head + mask.with.repeat(hidden) + (last === 0 ? "" : tail);
    }
    case "token":
      return token === null ? null : token(String(value));
    case "year":
    case "month": {
      const date = typeof value === "string" ? /^(\d{4})-(\d{2})-\d{2}/.exec(value) : null;
      if (date === null) return null;
      return mask.kind === "year" ? `${date[1]}-01-01` : `${date[1]}-${date[2]}-01`;
    }
    case "round": {
      const number = typeof value === "number" ? value : Number.NaN;
      if (!Number.isFinite(number)) return null;
      const scale = 10 ** mask.digits;
      const rounded = Math.round(number * scale) / scale;
      return Number.isFinite(rounded) ? rounded : null;
    }
  }
}
