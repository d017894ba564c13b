/** Moments of a recording as an address names them. */
import type { RowPlace } from "./details.ts";

/** What the address names: a statement and perhaps a row of it, or seconds after the start. */
export interface Moment {
  readonly s?: number;
  readonly t?: number;
  readonly place?: RowPlace;
}

/** The moment that an address's hash names; null for none. */
export function momentOf(hash: string): Moment | null {
  const fields = new URLSearchParams(hash.slice(1));
  const [s, t] = [fields.get("s"), fields.get("t")];
  /** In the address they count from 1. */
  const number = (name: string): number => {
    const text = fields.get(name) ?? "";
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 0;
  };
  const row = number("row");
  const place = row > 0 ? { place: { result: Math.max(1, number("result")) - 1, row: row - 1 } } : {};
  if (s !== null && /^\d+$/.test(s)) return { s: Number(s), ...place };
  return t !== null && /^\d+(\.\d+)?$/.test(t) ? { t: Number(t) } : null;
}

/** The hash of a row; `result` and `row` count from 0. */
export function rowHash(n: number, result: number, row: number): string {
  return `#s=${n}${result > 0 ? `&result=${result + 1}` : ""}&row=${row + 1}`;
}
