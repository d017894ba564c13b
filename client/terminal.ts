/** What commands write: data to stdout, talk to stderr. Text of others is made harmless for a terminal. */
import { styleText } from "node:util";
import { CommandError, type CommandFault, exit } from "./exit.ts";
import { inert, inertJson } from "./recording/inert.ts";

/** Data: one line, or one document. */
export function out(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Talk. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** One JSON document, or one event of a stream, on stdout. */
export function outJson(value: unknown): void {
  out(inertJson(JSON.stringify(value)));
}

/** Styled when stdout is a terminal and NO_COLOR is not set. */
export function styled(
  style: Parameters<typeof styleText>[0],
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  return styleText(style, text, { stream, validateStream: true });
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Characters that a terminal gives to a text; wide East Asian letters and emoji take two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const letter of text) {
    if (/\p{Mn}|\p{Me}/u.test(letter)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        letter,
      )
        ? 2
        : 1;
  }
  return width;
}

/** A table with a heading; cells are made inert. */
export function table(columns: readonly Column[], rows: readonly (readonly (string | null)[])[]): string {
  const cells = rows.map((row) => row.map((cell) => inert(cell ?? "")));
  const widths = columns.map(({ title }, i) =>
    Math.max(widthOf(title), ...cells.map((row) => widthOf(row[i] ?? ""))),
  );
  const line = (row: readonly string[]): string =>
    columns
      .map(({ right }, i) => {
        const space = " ".repeat(widths[i]! - widthOf(row[i] ?? ""));
        return right ? space + (row[i] ?? "") : (row[i] ?? "") + space;
      })
      .join("  ")
      .trimEnd();
  const head = line(columns.map(({ title }) => title));
  return [styled("bold", head), ...cells.map(line)].join("\n");
}

/** An error for people: what, why, what next. */
export function faultText(fault: CommandFault): string {
  const why = [fault.code, ...(fault.rule ? [fault.rule] : [])].join(", ");
  const lines = [`wicket: ${inert(fault.message)} (${inert(why)})`];
  if (fault.next) lines.push(`        ${inert(fault.next)}`);
  return lines.join("\n");
}

/** Runs a command's work and sets the exit code; whatever it throws is said in one place. */
export async function perform(json: boolean, work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    const fault = faultOf(error);
    if (json)
      outJson({
        status: "error",
        code: fault.code,
        message: fault.message,
        rule: fault.rule,
        next: fault.next,
      });
    else say(faultText(fault));
    process.exitCode = fault.exit;
  }
}

function faultOf(error: unknown): CommandFault {
  if (error instanceof CommandError) return error.fault;
  const message = error instanceof Error ? error.message : String(error);
  return { exit: exit.failure, code: "FAILED", message };
}
