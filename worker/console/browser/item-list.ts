/** The list of statements: only what is in sight is in the page, so a million of them scroll like ten. */
import { clockWords, count, el, foreign } from "./dom.ts";
import type { Item } from "./recording.ts";

/** Height of one line, CSS pixels; style.css says the same. */
const LINE = 34;
/** Lines kept above and below what is in sight. */
const MARGIN = 12;
/** Longest part of a statement in a line, characters. */
const SHOWN = 300;

export class ItemList {
  readonly #box: HTMLElement;
  readonly #space: HTMLElement;
  readonly #started: number;
  readonly #chosen: (item: Item) => void;
  #items: readonly Item[] = [];
  #selected = -1;
  #drawn = "";

  /** `chosen` is called when the person selects a line. */
  constructor(box: HTMLElement, started: number, chosen: (item: Item) => void) {
    this.#box = box;
    this.#started = started;
    this.#chosen = chosen;
    this.#space = el("div", { class: "space", role: "presentation" });
    box.append(this.#space);
    box.addEventListener("scroll", () => this.#draw(), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("click", (event) => {
      const line = (event.target as Element).closest<HTMLElement>("[data-index]");
      if (line) this.#choose(Number(line.dataset["index"]));
    });
    new ResizeObserver(() => this.#draw()).observe(box);
  }

  get selected(): Item | null {
    return this.#items[this.#selected] ?? null;
  }

  /** True while no line is shown. */
  get empty(): boolean {
    return this.#items.length === 0;
  }

  /** Shows these items; the selected one stays selected when it is among them. */
  show(items: readonly Item[]): void {
    const selected = this.selected;
    // The caller's list may grow before it is shown again.
    this.#items = items.slice();
    this.#selected = selected ? items.indexOf(selected) : -1;
    this.#space.style.height = `${items.length * LINE}px`;
    this.#drawn = "";
    this.#draw();
  }

  /** Draws again: what is known of the items has changed. */
  refresh(): void {
    this.#drawn = "";
    this.#draw();
  }

  /** Selects without telling `chosen`, and brings the line into sight. */
  select(item: Item | null): void {
    this.#selected = item ? this.#items.indexOf(item) : -1;
    if (this.#selected >= 0) {
      const top = this.#selected * LINE;
      const { scrollTop, clientHeight } = this.#box;
      if (top < scrollTop) this.#box.scrollTop = top;
      else if (top + LINE > scrollTop + clientHeight) this.#box.scrollTop = top + LINE - clientHeight;
    }
    this.#drawn = "";
    this.#draw();
  }

  #choose(index: number): void {
    const item = this.#items[Math.min(Math.max(index, 0), this.#items.length - 1)];
    if (!item) return;
    this.select(item);
    this.#chosen(item);
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.#box.clientHeight / LINE) - 1);
    const steps: Record<string, number> = {
      ...{ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page },
      ...{ Home: -this.#items.length, End: this.#items.length },
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#choose((this.#selected < 0 && step > 0 ? -1 : this.#selected) + step);
  }

  #draw(): void {
    const first = Math.max(0, Math.floor(this.#box.scrollTop / LINE) - MARGIN);
    const last = Math.min(
      this.#items.length,
      Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / LINE) + MARGIN,
    );
    const drawn = `${first} ${last} ${this.#selected}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    const lines: HTMLElement[] = [];
    for (let index = first; index < last; index++) lines.push(this.#line(index));
    // The selected line is always there: it is what the list's focus stands on.
    if (this.#selected >= 0 && (this.#selected < first || this.#selected >= last)) {
      lines.push(this.#line(this.#selected));
    }
    this.#space.replaceChildren(...lines);
    if (this.#selected >= 0) this.#box.setAttribute("aria-activedescendant", `item-${this.#selected}`);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  #line(index: number): HTMLElement {
    const item = this.#items[index]!;
    const line = el(
      "div",
      {
        ...{ id: `item-${index}`, role: "option", class: "item", "data-index": index },
        ...{ "aria-setsize": this.#items.length, "aria-posinset": index + 1 },
        "aria-selected": index === this.#selected ? "true" : "false",
      },
      el("span", { class: "when" }, `+${clockWords(item.at - this.#started)}`),
      ...(item.kind === "statement" ? statementParts(item) : factParts(item)),
    );
    line.style.top = `${index * LINE}px`;
    return line;
  }
}

function statementParts({ statement }: Item & { kind: "statement" }): HTMLElement[] {
  const { n, text, outcome, results, casts } = statement;
  const rows = results.reduce((sum, result) => sum + result.count, 0);
  const [word, style] = stateOf(statement);
  const took = outcome ? `${count(outcome.ms)} ms` : "";
  const facts = [
    took,
    rows > 0 ? `${count(rows)} row${rows === 1 ? "" : "s"}` : "",
    casts > 0 ? "terminal" : "",
  ];
  return [
    el("span", { class: "number" }, `${n}.`),
    el("span", { class: `state ${style}` }, word),
    el("bdi", { class: "text" }, ...foreign(text.slice(0, SHOWN).replace(/\s+/g, " "), true)),
    el("span", { class: "facts" }, facts.filter((fact) => fact !== "").join(" · ")),
  ];
}

function factParts({ fact }: Item & { kind: "fact" }): HTMLElement[] {
  return [
    el("span", { class: "number" }),
    el(
      "span",
      { class: `state ${fact.kind === "end" || fact.kind === "notification" ? "soft" : "bad"}` },
      fact.kind,
    ),
    el("bdi", { class: "text" }, ...foreign(fact.text.slice(0, SHOWN), true)),
    el("span", { class: "facts" }),
  ];
}

/** What became of a statement, in one word, and its colour. */
export function stateOf(statement: (Item & { kind: "statement" })["statement"]): [string, string] {
  const { decision, outcome } = statement;
  if (decision.effect === "deny") return ["refused", "bad"];
  if (outcome === null) return [decision.effect === "hold" ? "held" : "open", "wait"];
  if (outcome.ok === false) return [outcome.tag === "SKIPPED" ? "skipped" : "error", "bad"];
  return [decision.effect === "hold" ? "approved" : "allowed", "good"];
}
