/** Stand-ins for literals of a text: literals of the same kinds that are found again in what is made of the text. */
import type { LiteralKind, Shape } from "./shape.ts";

/** A text cut where literals go. */
export interface Cut {
  /** One more than `slots`. */
  readonly pieces: readonly string[];
  /** Indices of literals. */
  readonly slots: readonly number[];
}

/** What stands in for the literals of a text, where they begin then, and the text with them; null when none is unused. */
export function withStandIns(
  text: string,
  { literals }: Shape,
  varies: readonly boolean[],
): { text: string | null; standIns: ReadonlyMap<string, number>; starts: readonly number[] } {
  const standIns = new Map<string, number>();
  const starts: number[] = [];
  let out = "";
  let at = 0;
  let tried = 0;
  for (const [index, { kind, start, end }] of literals.entries()) {
    out += text.slice(at, start);
    starts.push(out.length);
    at = end;
    if (!varies[index]) {
      out += text.slice(start, end);
      continue;
    }
    let core = standIn(kind, tried++);
    while (text.includes(core) && tried < 2 * literals.length + 100) core = standIn(kind, tried++);
    if (text.includes(core)) return { text: null, standIns, starts };
    standIns.set(core, index);
    out += kind === "string" ? `'${core}'` : core;
  }
  return { text: out + text.slice(at), standIns, starts };
}

/** The n-th stand-in of a kind, without quotes: all are of one length, and none is a part of another one. */
function standIn(kind: LiteralKind, n: number): string {
  const number = 70_000_000 + n;
  switch (kind) {
    case "int4":
      return `4${number}`;
    case "int8":
      return `8${number}00008`;
    case "numeric":
      return `6${number}.6`;
    case "string":
      return `wicket${number}shape`;
    case "block":
      return `/*wicket${number}block*/`;
    case "line":
      return `--wicket${number}line`;
  }
}

const STAND_INS = /'wicket\d{8}shape'|\/\*wicket\d{8}block\*\/|--wicket\d{8}line|[468]\d{8}(?:00008|\.6)?/g;

/** A text cut at the stand-ins in it, each with the quotes that belong to it. */
export function cutAt(text: string, standIns: ReadonlyMap<string, number>): Cut {
  const pieces: string[] = [];
  const slots: number[] = [];
  let at = 0;
  for (const match of text.matchAll(STAND_INS)) {
    const found = standIns.get(match[0].replaceAll("'", ""));
    if (found === undefined) continue;
    pieces.push(text.slice(at, match.index));
    slots.push(found);
    at = match.index + match[0].length;
  }
  pieces.push(text.slice(at));
  return { pieces, slots };
}
