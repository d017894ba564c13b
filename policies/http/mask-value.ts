/** The masks on JSON values: those of policies/mask.ts, with text for text and decimals for numbers. */
import { maskText, type TokenHash } from "../mask.ts";
import type { Mask } from "../task.ts";

/** Keyed hash of a text, injected by the shell; null where there is no key: tokens are then null. */
export type TokenOf = TokenHash;

/**
 * The JSON text of a masked value that is not null, not a list and not an object. `raw` is the text of a string, or
 * the token of a number, true or false. What a mask cannot say of a value becomes null.
 */
export function maskJson(
  mask: Mask,
  raw: string,
  type: "string" | "number" | "boolean",
  token: TokenOf | null,
): string {
  switch (mask.kind) {
    case "null":
      return "null";
    case "constant":
      return JSON.stringify(mask.value);
    case "round":
      return type === "number" ? (maskText(mask, raw, "numeric", none) ?? "null") : "null";
    case "year":
    case "month": {
      const date = type === "string" ? /^(\d{4})-(\d{2})-\d{2}(?:[T ].*)?$/.exec(raw) : null;
      return date === null
        ? "null"
        : JSON.stringify(`${date[1]}-${mask.kind === "year" ? "01" : date[2]}-01`);
    }
    case "email":
    case "keep":
    case "token": {
      if (mask.kind === "email" && type !== "string") return "null";
      if (mask.kind === "token" && token === null) return "null";
      return JSON.stringify(maskText(mask, raw, "text", token ?? none));
    }
  }
}

function none(): string {
  return "";
}
