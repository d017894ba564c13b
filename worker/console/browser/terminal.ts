/** The terminal player (asciinema-player, Apache-2.0): plays what a terminal showed, without acting on it. */
import { create } from "asciinema-player";

/** Shows an asciicast in `box`. */
export async function showTerminal(box: HTMLElement, cast: string, speed: number): Promise<void> {
  create({ data: cast }, box, { speed, idleTimeLimit: 2, fit: "width", controls: true, theme: "asciinema" });
}
