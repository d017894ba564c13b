/** Small helpers for making elements. Text of others always becomes text, never markup. */
import { visible } from "../visible.ts";

type Child = Node | string | null;

/** An element with properties and children. */
export function el<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Readonly<Record<string, string | number | boolean | null | undefined>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null) element.append(child);
  return element;
}

/** Text from elsewhere: what does not show or misleads becomes a mark. With `line`, line breaks and tabs too. */
export function foreign(text: string, line = false): (HTMLElement | string)[] {
  return visible(text, line).parts.map((part) => (part.mark ? el("mark", {}, part.text) : part.text));
}

/** The element with this id; there must be one. */
export function byId<Type extends HTMLElement>(id: string): Type {
  return document.getElementById(id) as Type;
}

/** `1,234`. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** `1 line`, `1,234 lines`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** `850 B`, `12.3 MB`. */
export function bytesWords(value: number): string {
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB"];
  let amount = value;
  let unit = "";
  for (unit of units) {
    amount /= 1000;
    if (amount < 1000) break;
  }
  return `${amount.toFixed(1)} ${unit}`;
}

/** `1:02:03.4`, from milliseconds. */
export function clockWords(ms: number): string {
  const tenths = Math.max(0, Math.floor(ms / 100));
  const seconds = Math.floor(tenths / 10);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return `${text.replace(/^00:0?/, "")}.${tenths % 10}`;
}
