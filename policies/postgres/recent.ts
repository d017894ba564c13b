/** What was kept last, by text, within bounds of number and size. */

interface Entry<T> {
  readonly value: T;
  readonly size: number;
}

export class Recent<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #most: number;
  readonly #room: number;
  #size = 0;

  /** @param room characters that the entries may have together; what would take more than an eighth is not kept */
  constructor(most: number, room: number) {
    this.#most = most;
    this.#room = room;
  }

  get(text: string): T | undefined {
    return this.#entries.get(text)?.value;
  }

  /** @param size characters of the value; those of the text are counted besides */
  set(text: string, value: T, size: number): void {
    this.delete(text);
    const entry = { value, size: text.length + size };
    if (this.#most === 0 || entry.size > this.#room / 8) return;
    this.#entries.set(text, entry);
    this.#size += entry.size;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#most && this.#size <= this.#room) return;
      this.delete(oldest);
    }
  }

  delete(text: string): void {
    this.#size -= this.#entries.get(text)?.size ?? 0;
    this.#entries.delete(text);
  }

  clear(): void {
    this.#entries.clear();
    this.#size = 0;
  }
}
