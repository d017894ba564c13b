/** The terminal of the statement that is shown: one on the page, which grows while its session runs. */
import type { PlayedStatement } from "../../../policies/postgres/transcript.ts";
import { el } from "./dom.ts";
import type { Recording } from "./recording.ts";
import { untilAnswered } from "./segments.ts";
import type { Terminal } from "./terminal.ts";

export interface TerminalsOptions {
  readonly recording: Recording;
  /** Where the terminal's player is loaded from. */
  readonly address: string;
  speed(): number;
  /** The person wants to try again what failed: the statement that is shown is opened anew. */
  again(): void;
}

export class Terminals {
  readonly #options: TerminalsOptions;
  #shown: { n: number; casts: number; box: HTMLElement; player: Promise<Terminal> } | null = null;
  /** How often the terminal's player did not load. A browser keeps a failure by its address. */
  #unloaded = 0;

  constructor(options: TerminalsOptions) {
    this.#options = options;
  }

  /** The element with the statement's terminal; the same one while the statement is shown. */
  of({ n, casts }: Pick<PlayedStatement, "n" | "casts">): HTMLElement {
    const shown = this.#shown;
    if (shown?.n === n && shown.casts === casts) return shown.box;
    if (shown?.n === n) {
      const { box, player } = shown;
      shown.casts = casts;
      shown.player = Promise.all([player, this.#cast(n, box)]).then(([one, more]) =>
        one.longer(more).then(() => one),
      );
      shown.player.catch((error: unknown) => this.#failed(box, error));
      return box;
    }
    const box = el("section", { class: "terminal", "aria-label": `Terminal of request ${n}` });
    const player = Promise.all([this.#module(), this.#cast(n, box)]).then(([{ showTerminal }, data]) => {
      box.replaceChildren();
      return showTerminal(box, data, this.#options.speed());
    });
    player.catch((error: unknown) => this.#failed(box, error));
    this.#shown = { n, casts, box, player };
    return box;
  }

  #module(): Promise<typeof import("./terminal.ts")> {
    const { address } = this.#options;
    const from = this.#unloaded > 0 ? `${address}&again=${this.#unloaded}` : address;
    return (import(from) as Promise<typeof import("./terminal.ts")>).catch(() => {
      this.#unloaded += 1;
      throw new Error("The terminal's player did not load.");
    });
  }

  /** The asciicast of a request. Never resolved when another terminal is on the page before it is there. */
  async #cast(n: number, box: HTMLElement): Promise<string> {
    const wanted = (): boolean => this.#shown?.box === box;
    const told = (words: string): void => {
      if (wanted() && box.childElementCount === 0) box.replaceChildren(words);
    };
    const cast = await untilAnswered(() => this.#options.recording.cast(n), told, wanted);
    return cast ?? new Promise(() => undefined);
  }

  #failed(box: HTMLElement, error: unknown): void {
    const again = el("button", { type: "button" }, "Load it again");
    again.addEventListener("click", () => this.#options.again());
    const words = error instanceof Error ? error.message : "The terminal cannot be shown.";
    box.replaceChildren(el("p", { class: "warn", role: "status" }, words), again);
    if (this.#shown?.box === box) this.#shown = null;
  }
}
