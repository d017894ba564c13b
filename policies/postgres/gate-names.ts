/**
 * Names of prepared statements and portals as the server will have them, known before the server answers.
 *
 * A definition or a close is first pending. Until its own cycle ends (a cycle is what one Sync or Query
 * closes), what follows in the cycle may count on it: if it fails, the server discards all of that, too. A
 * later cycle may not: whether the name is there depends on an answer that is still under way (`unsettled`).
 */

export interface NameEntry<Value> {
  readonly name: string;
  readonly cycle: number;
  /** Null: the name is gone. */
  value: Value | null;
  state: "pending" | "confirmed" | "cancelled";
  /** What holds if this one is cancelled. */
  below: NameEntry<Value> | null;
}

export type Found<Value> =
  | { readonly is: "here"; readonly value: Value }
  | { readonly is: "missing" }
  | { readonly is: "unsettled"; readonly cycle: number };

const missing = { is: "missing" } as const;

export class Names<Value> {
  readonly #top = new Map<string, NameEntry<Value>>();
  readonly #weigh: (value: Value) => number;
  #weight = 0;

  constructor(weigh: (value: Value) => number = () => 0) {
    this.#weigh = weigh;
  }

  /** Sum over all values that are kept. */
  get weight(): number {
    return this.#weight;
  }

  /** Names that are defined or about to be. */
  get size(): number {
    return this.#top.size;
  }

  /** What the name means to a message of `cycle`. */
  find(name: string, cycle: number): Found<Value> {
    const entry = live(this.#top.get(name));
    if (!entry) return missing;
    if (entry.state === "pending" && entry.cycle !== cycle) return { is: "unsettled", cycle: entry.cycle };
    return entry.value === null ? missing : { is: "here", value: entry.value };
  }

  /** What the name means now or will, when nothing fails. */
  latest(name: string): Value | null {
    return live(this.#top.get(name))?.value ?? null;
  }

  define(name: string, value: Value, cycle: number): NameEntry<Value> {
    return this.#push(name, value, cycle);
  }

  /** The name goes away when the server answers so; null when there is nothing to go. */
  close(name: string, cycle: number): NameEntry<Value> | null {
    return this.#top.has(name) ? this.#push(name, null, cycle) : null;
  }

  /** All names but the unnamed one go away. */
  closeNamed(cycle: number): NameEntry<Value>[] {
    const closed: NameEntry<Value>[] = [];
    for (const name of this.#top.keys()) if (name !== "") closed.push(this.#push(name, null, cycle));
    return closed;
  }

  /** The server did it. */
  confirm(entry: NameEntry<Value>): void {
    entry.state = "confirmed";
    this.#forget(entry.below);
    entry.below = null;
    if (entry.value === null && this.#top.get(entry.name) === entry) this.#top.delete(entry.name);
  }

  /** The server did not do it. */
  cancel(entry: NameEntry<Value>): void {
    entry.state = "cancelled";
    if (entry.value !== null) this.#weight -= this.#weigh(entry.value);
    const top = live(this.#top.get(entry.name));
    if (top) this.#top.set(entry.name, top);
    else this.#top.delete(entry.name);
  }

  /** The server did not do it, and took away what was there before. */
  fail(entry: NameEntry<Value>): void {
    if (entry.value !== null) this.#weight -= this.#weigh(entry.value);
    entry.value = null;
    this.confirm(entry);
  }

  /** Everything that was confirmed in `cycle` or before is gone, as portals are when a transaction ends. */
  expire(cycle: number): void {
    for (const [name, top] of this.#top) {
      if (top.cycle <= cycle) {
        this.#forget(top);
        this.#top.delete(name);
      } else {
        let entry = top;
        while (entry.below && entry.below.cycle > cycle) entry = entry.below;
        this.#forget(entry.below);
        entry.below = null;
      }
    }
  }

  #push(name: string, value: Value | null, cycle: number): NameEntry<Value> {
    const below = live(this.#top.get(name));
    const entry: NameEntry<Value> = { name, cycle, value, state: "pending", below };
    this.#top.set(name, entry);
    if (value !== null) this.#weight += this.#weigh(value);
    return entry;
  }

  #forget(from: NameEntry<Value> | null): void {
    for (let entry = from; entry; entry = entry.below) {
      if (entry.value !== null && entry.state !== "cancelled") this.#weight -= this.#weigh(entry.value);
    }
  }
}

/** The first entry that is not cancelled. */
function live<Value>(entry: NameEntry<Value> | null | undefined): NameEntry<Value> | null {
  let at = entry ?? null;
  while (at?.state === "cancelled") at = at.below;
  return at;
}
