/** Where a command writes: data to one side, talk to the other. */
export interface PolicyIo {
  /** Data: one line or document, without its line end. */
  out(text: string): void;
  /** Talk: warnings, errors, hints. */
  err(text: string): void;
}

/** Exit codes of the commands. */
export const exit = { ok: 0, failure: 1, usage: 2, denied: 3, pending: 5 } as const;

/** One JSON document, as `--json` prints it. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
