/** Bodies of requests and of their answers, as `wicket play` shows them. */
import type { PlayedStatement } from "../../policies/postgres/transcript.ts";
import type { Piece } from "../../wire/pieces.ts";
import { inertLines } from "./inert.ts";

type Which = "asked" | "answered";

/** What the pieces of a recording say. */
export class Bodies {
  readonly #parts = new Map<string, Uint8Array[]>();

  add({ kind, n, bytes }: Piece): void {
    if (kind !== "asked" && kind !== "answered") return;
    const key = `${kind} ${n}`;
    const known = this.#parts.get(key);
    if (known) known.push(bytes);
    else this.#parts.set(key, [bytes]);
  }

  /** Null when nothing is kept of it. */
  text(n: number, which: Which): string | null {
    const parts = this.#parts.get(`${which} ${n}`);
    return parts === undefined ? null : new TextDecoder().decode(Buffer.concat(parts));
  }

  /** As JSON output has them. */
  texts(n: number): { readonly askedText: string | null; readonly answeredText: string | null } {
    return { askedText: this.text(n, "asked"), answeredText: this.text(n, "answered") };
  }
}

/** The bodies of a request in lines, at most so many characters of each. */
export function bodyLines(statement: PlayedStatement, bodies: Bodies, characters: number): string[] {
  const { n, sent, answered, outcome } = statement;
  const lines: string[] = [];
  const show = (title: string, text: string | null) => {
    lines.push(`   ${title}`);
    if (text === null || characters === 0) return;
    const shown = inertLines(text.slice(0, characters)).trimEnd();
    for (const line of shown.split("\n")) lines.push(`   | ${line}`);
    if (text.length > characters) lines.push(`   … ${text.length - characters} more characters`);
  };
  if (sent !== null) show(`body: ${sent.bytes} bytes${leftWords(sent.left)}`, bodies.text(n, "asked"));
  if (answered > 0) {
    const cut = outcome !== null && answered < outcome.bytes ? `, of which ${answered} are recorded` : "";
    const { tag = null } = outcome ?? {};
    show(
      `answer${tag === null ? "" : ` ${tag}`}: ${outcome?.bytes ?? answered} bytes${cut}`,
      bodies.text(n, "answered"),
    );
  }
  return lines;
}

function leftWords(left: NonNullable<PlayedStatement["sent"]>["left"]): string {
  switch (left) {
    case "cut":
      return ", of which the beginning is recorded";
    case "secret":
      return ", not recorded: it holds secret values";
    case "binary":
      return ", not recorded: it is not text";
    case null:
      return "";
  }
}
