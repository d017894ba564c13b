/** The terminal player (asciinema-player, Apache-2.0): plays what a terminal showed, without acting on it. */
import { create } from "asciinema-player";

/** A terminal on the page. */
export interface Terminal {
  /** Takes the asciicast again, which has become longer: it goes on from where it is. */
  longer(cast: string): Promise<void>;
}

/** Shows an asciicast in `box`. */
export function showTerminal(box: HTMLElement, cast: string, speed: number): Terminal {
  const options = { speed, idleTimeLimit: 2, fit: "width", controls: true, theme: "asciinema" } as const;
  let player = create({ data: cast }, box, options);
  return {
    async longer(more) {
      const at = await player.getCurrentTime();
      player.dispose();
      // What came since is played as it came.
      player = create({ data: more }, box, { ...options, startAt: at, autoPlay: true });
    },
  };
}
