/** What is wrong in a policy file: where, what, and what to write instead. */

/** A position in a file. Lines and columns count from 1; columns in UTF-16 units, as editors show them. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** An error stops the compilation; a warning is printed and may be made an error (`policy check --strict`). */
export interface Problem extends Place {
  readonly severity: "error" | "warning";
  /** Stable UPPER_SNAKE code: `UNKNOWN_KEY`, `DUPLICATE_KEY`, `WRONG_TYPE`, … */
  readonly code: string;
  /** Path below the library: `tasks/refund-investigation.yaml`. */
  readonly file: string;
  /** One sentence: what is wrong. */
  readonly message: string;
  /** What to write instead; null when the message says it all. */
  readonly fix: string | null;
}

/** `tasks/x.yaml:3:5: error: … (UNKNOWN_KEY)` and, on a second line, the fix. */
export function problemText(problem: Problem): string {
  const { file, line, column, severity, message, code, fix } = problem;
  return `${file}:${line}:${column}: ${severity}: ${message} (${code})${fix === null ? "" : `\n  fix: ${fix}`}`;
}

/** Whether any of the problems is an error. */
export function hasError(problems: readonly Problem[]): boolean {
  return problems.some((problem) => problem.severity === "error");
}

/** By file, then position: the order in which a person would work through them. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
  );
}
