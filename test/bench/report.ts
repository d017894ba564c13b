/** What a part of the benchmark found, as text for a terminal and as a section of docs/performance.md. */
import type { Spread } from "./statistics.ts";

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Report {
  readonly tables: readonly Table[];
  /** Sentences below the tables. */
  readonly notes?: readonly string[];
}

/** A table in Markdown, columns padded so that it reads well as plain text too. */
export function tableText({ head, rows }: Table): string {
  const widths = head.map((cell, i) => Math.max(cell.length, 3, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, i) => (cells[i] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join(
    "\n",
  );
}

/** All of a report. */
export function reportText({ tables, notes = [] }: Report): string {
  return [...tables.map(tableText), ...(notes.length > 0 ? [notes.join("\n")] : [])].join("\n\n");
}

/**
 * Puts a section between `<!-- bench:<part> -->` and `<!-- /bench:<part> -->`. Throws when the page does not have the
 * two, once each and in this order: a figure is never written somewhere else.
 */
export function putSection(page: string, part: string, text: string): string {
  const open = `<!-- bench:${part} -->`;
  const close = `<!-- /bench:${part} -->`;
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  const once = page.lastIndexOf(open) === from && page.lastIndexOf(close) === to;
  if (from < 0 || to < from || !once) throw new Error(`the page has no place for ${part}`);
  return `${page.slice(0, from + open.length)}\n${text}\n${page.slice(to)}`;
}

/** `0.87 (0.84–0.91)`. */
export function ratioText({ median, min, max }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
}

/** A figure with three significant digits, thousands separated. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 1000) return Math.round(Number(value.toPrecision(3))).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** `≥ 0.85: met`. */
export function verdict(sign: "≥" | "<", target: number, value: number, unit = ""): string {
  const met = sign === "≥" ? value >= target : value < target;
  return `${sign} ${target}${unit}: ${met ? "met" : "**missed**"}`;
}
