/**
 * The search of values in rows: goes through the segments one after the other, as far as they are read, shows what it
 * finds a few hundred at a time, and stops when it is told to. Nothing is kept of what was looked through.
 */
import type { FoundValue } from "../../../policies/postgres/transcript-search.ts";
import { keepInert } from "./copying.ts";
import { byId, count, counted, el, foreign } from "./dom.ts";
import { type Place, type Recording, SHOWN_VALUES } from "./recording.ts";
import { untilAnswered } from "./segments.ts";

/** One search that is under way, or over. */
interface Search {
  readonly words: string;
  /** Values of results that are not over yet, so that it is not known whose they are. */
  waiting: FoundValue[];
  found: number;
  stopped: boolean;
  /** Called to go on behind the values that are shown. */
  more: (() => void) | null;
}

export class ValueSearchPanel {
  readonly #recording: Recording;
  readonly #chosen: (place: Place, value: FoundValue) => void;
  /** Statements with a value that was found have changed. */
  readonly #changed: () => void;
  readonly #paint: () => Promise<void>;
  readonly #box = byId("values");
  readonly #told = byId("values-told");
  readonly #list = byId("values-list");
  readonly #progress = byId<HTMLProgressElement>("values-progress");
  readonly #stop = byId<HTMLButtonElement>("values-stop");
  readonly #more = byId<HTMLButtonElement>("values-more");
  #search: Search | null = null;
  #statements = new Set<number>();

  constructor(
    recording: Recording,
    chosen: (place: Place, value: FoundValue) => void,
    changed: () => void,
    paint: () => Promise<void>,
  ) {
    this.#recording = recording;
    this.#chosen = chosen;
    this.#changed = changed;
    this.#paint = paint;
    keepInert(this.#list);
    this.#stop.addEventListener("click", () => this.#halt("Stopped"));
    this.#more.addEventListener("click", () => this.#search?.more?.());
    byId("values-close").addEventListener("click", () => this.close());
    this.#box.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  /** Whether a statement has a value with these words, as far as they were searched for. */
  has(n: number, words: string): boolean {
    return this.#search?.words.toLowerCase() === words && this.#statements.has(n);
  }

  /** Ends the search and takes its panel away. */
  close(): void {
    if (this.#search) this.#search.stopped = true;
    this.#search = null;
    this.#statements.clear();
    this.#list.replaceChildren();
    if (!this.#box.hidden) byId("search").focus();
    this.#box.hidden = true;
    this.#changed();
  }

  async start(words: string): Promise<void> {
    if (this.#search) this.#search.stopped = true;
    const search: Search = { words, waiting: [], found: 0, stopped: false, more: null };
    this.#search = search;
    this.#statements.clear();
    this.#list.replaceChildren();
    this.#box.hidden = false;
    this.#running(true);
    this.#told.textContent = "Searching the rows…";
    try {
      const over = await this.#run(search);
      if (over) this.#over(search);
    } catch (error) {
      if (!search.stopped) this.#halt(error instanceof Error ? error.message : "The rows cannot be read");
    }
  }

  /** False when it was stopped. */
  async #run(search: Search): Promise<boolean> {
    const wanted = (): boolean => !search.stopped;
    const parts = this.#recording.values(search.words, (ask) =>
      untilAnswered(ask, (words) => wanted() && this.#told.replaceChildren(words), wanted),
    );
    for await (const { segment, found } of parts) {
      if (search.stopped) return false;
      const { list } = this.#recording.segments;
      this.#progress.max = Math.max(1, list.length);
      this.#progress.value = segment;
      search.waiting.push(...found);
      search.found += found.length;
      this.#show(search);
      if (this.#list.childElementCount >= SHOWN_VALUES) {
        await this.#pause(search);
        if (search.stopped) return false;
      }
      await this.#paint();
    }
    return !search.stopped;
  }

  /** Waits until the person wants to see more. */
  #pause(search: Search): Promise<void> {
    const shown = this.#list.childElementCount;
    this.#told.textContent = `${counted(search.found, "value")} found so far; the last ${count(shown)} of them are shown.`;
    this.#running(false);
    this.#more.hidden = false;
    return new Promise((resolve) => {
      search.more = () => {
        search.more = null;
        this.#list.replaceChildren();
        this.#running(true);
        this.#told.textContent = "Searching on…";
        this.#stop.focus();
        resolve();
      };
    });
  }

  /** Lists what was found in results that are known; `last`: the others too, without a way to them. */
  #show(search: Search, last = false): void {
    const open: FoundValue[] = [];
    let fresh = false;
    for (const value of search.waiting) {
      const place = this.#recording.placeOf(value.unit);
      if (!place && !last) open.push(value);
      else {
        this.#list.append(this.#line(value, place));
        if (!place || this.#statements.has(place.n)) continue;
        this.#statements.add(place.n);
        fresh = true;
      }
    }
    search.waiting = open;
    if (fresh) this.#changed();
  }

  #line(value: FoundValue, place: Place | null): HTMLElement {
    const [before, found, after] = value.excerpt;
    const where = place
      ? `Statement ${count(place.n)}, ${place.results > 1 ? `result ${place.result + 1}, ` : ""}row ${count(value.row + 1)}, `
      : `A statement that is not over, row ${count(value.row + 1)}, `;
    const parts = [
      where,
      el("bdi", {}, ...foreign(value.column, true)),
      ": ",
      el(
        "bdi",
        {},
        ...foreign(before, true),
        el("b", { class: "found" }, ...foreign(found, true)),
        ...foreign(after, true),
      ),
    ];
    if (!place) return el("li", {}, ...parts);
    const button = el("button", { type: "button" }, ...parts);
    button.addEventListener("click", () => this.#chosen(place, value));
    return el("li", {}, button);
  }

  #over(search: Search): void {
    this.#show(search, true);
    this.#running(false);
    const { elided } = this.#recording;
    const words = elided ? "The task's rows are not recorded. " : "";
    this.#told.textContent = `${words}${search.found === 0 ? "No value has these words." : `${counted(search.found, "value")} found.`}`;
  }

  #halt(words: string): void {
    const search = this.#search;
    if (!search) return;
    search.stopped = true;
    this.#running(false);
    this.#told.textContent = `${words}: ${counted(search.found, "value")} found so far.`;
  }

  #running(yes: boolean): void {
    const had = document.activeElement === this.#stop || document.activeElement === this.#more;
    this.#progress.hidden = !yes;
    this.#stop.hidden = !yes;
    this.#more.hidden = true;
    // The focus is not lost with the button that it was on.
    if (had && !yes) this.#list.focus();
  }
}
