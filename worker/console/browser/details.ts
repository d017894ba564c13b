/** Everything about one statement: its text, its decision, and its rows, page by page. */
import type { PlayedResult, PlayedStatement } from "../../../policies/postgres/transcript.ts";
import { HAS_COMMENTS, visible } from "../visible.ts";
import { clockWords, count, counted, el, foreign } from "./dom.ts";
import { sqlTokens } from "./highlight.ts";
import { stateOf } from "./item-list.ts";
import type { Item, Recording } from "./recording.ts";
import { untilAnswered } from "./segments.ts";

/** Rows of one page. */
const PAGE = 100;
/** Longest text that is shown at once, and longest value in a cell, characters. */
const LONG_TEXT = 50_000;
const LONG_CELL = 300;
/** A value up to this length stays on one line. */
const SHORT_CELL = 32;

/** A row of one of a statement's results, both numbered from 0. */
export interface RowPlace {
  readonly result: number;
  readonly row: number;
}

/** The panel for an item; `terminal` opens a statement's terminal, `place` is a row to be shown. */
export function details(
  item: Item,
  recording: Recording,
  started: number,
  terminal: (statement: PlayedStatement) => Node,
  place: RowPlace | null = null,
): HTMLElement[] {
  const at = new Date(item.at).toISOString();
  const time = `+${clockWords(item.at - started)}, ${at.slice(0, 10)} ${at.slice(11, 23)} UTC`;
  if (item.kind === "fact") {
    return [
      el("h2", {}, `At ${time}`),
      el("p", {}, `${item.fact.kind}: `, el("bdi", {}, ...foreign(item.fact.text, true))),
    ];
  }
  const { statement } = item;
  const [word, style] = stateOf(statement);
  const sql = statement.protocol === "simple" || statement.protocol === "extended";
  return [
    el(
      "h2",
      {},
      `${sql ? "Statement" : "Request"} ${statement.n} `,
      el("span", { class: `state ${style}` }, word),
    ),
    el("p", { class: "soft" }, time),
    ...longText(statement.text, sql),
    ...visible(statement.text)
      .warnings.filter((warning) => warning !== HAS_COMMENTS)
      .map((warning) => el("p", { class: "warn" }, warning)),
    facts(statement),
    ...(statement.decision.rewritten && statement.decision.rewritten !== statement.text
      ? [rewritten(statement.decision.rewritten)]
      : []),
    ...bodies(statement, recording),
    ...statement.results.map((result, i) =>
      resultPart(result, i, statement, recording, place?.result === i ? place.row : null),
    ),
    ...(statement.casts > 0 ? [terminal(statement) as HTMLElement] : []),
  ];
}

function facts({ decision, outcome, params }: PlayedStatement): HTMLElement {
  const list = el("dl");
  const add = (name: string, ...value: (Node | string)[]): void => {
    list.append(el("dt", {}, name), el("dd", {}, ...value));
  };
  params.forEach((value, i) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    add(`$${i + 1}`, value === null ? el("em", {}, "NULL") : el("bdi", {}, ...foreign(text, true)));
  });
  add("Decision", `${decision.effect}, ${decision.reason}${decision.rule ? `, ${decision.rule}` : ""}`);
  if (decision.message) add("Why", el("bdi", {}, ...foreign(decision.message, true)));
  if (decision.relations.length > 0)
    add("Touches", el("bdi", {}, ...foreign(decision.relations.join(", "), true)));
  if (decision.masked.length > 0)
    add("Masked there", el("bdi", {}, ...foreign(decision.masked.join(", "), true)));
  if (outcome === null) add("Outcome", "none: the session ended, or is not recorded further yet");
  else {
    const { tag, sqlstate, message, rows, bytes, ms } = outcome;
    const { status } = outcome as { status?: number };
    if (status) add("Answer", `HTTP ${status}`);
    add("Took", `${count(ms)} ms`);
    add("Sent back", `${counted(rows, "row")}, ${counted(bytes, "byte")}`);
    if (tag) add("Tag", el("bdi", {}, ...foreign(tag, true)));
    if (sqlstate || message)
      add("Error", `${sqlstate ?? ""} `, el("bdi", {}, ...foreign(message ?? "", true)));
  }
  return list;
}

/** A long text: its start, and a button for the rest. */
function longText(text: string, sql: boolean): HTMLElement[] {
  const block = el("pre", { class: "sql", tabindex: 0, "aria-label": sql ? "SQL" : "Request" });
  const fill = (shown: string): void => {
    const tokens = sql ? sqlTokens(shown) : [{ kind: "other", text: shown } as const];
    block.replaceChildren(
      ...tokens.map(({ kind, text: one }) => el("span", { class: kind }, ...foreign(one))),
    );
  };
  fill(text.slice(0, LONG_TEXT));
  if (text.length <= LONG_TEXT) return [block];
  const more = el("button", { type: "button" }, `Show all ${count(text.length)} characters`);
  more.addEventListener("click", () => {
    fill(text);
    more.remove();
  });
  return [block, more];
}

/** The request's body and its answer, as far as they are kept: read when they are opened. */
function bodies(statement: PlayedStatement, recording: Recording): HTMLElement[] {
  const { n, sent, asked, answered, outcome } = statement;
  const part = (title: string, kept: number, which: "asked" | "answered"): HTMLElement => {
    if (kept === 0) return el("p", { class: "soft" }, title);
    const box = el("details", {}, el("summary", {}, title));
    const open = async (): Promise<void> => {
      const words = el("p", { role: "status" }, "Reading…");
      box.append(words);
      const told = (text: string): void => words.replaceChildren(text);
      try {
        const body = await untilAnswered(
          () => recording.body(n, which),
          told,
          () => box.isConnected,
        );
        if (body !== null) words.replaceWith(...longText(body, false));
      } catch (error) {
        told(error instanceof Error ? error.message : "It cannot be read.");
      }
    };
    box.addEventListener("toggle", () => void open(), { once: true });
    return box;
  };
  const left = {
    cut: ", of which the beginning is recorded",
    secret: ", not recorded: it holds secret values",
    binary: ", not recorded: it is not text",
  };
  const size = Math.max(outcome?.bytes ?? 0, answered);
  const cut = answered < size ? `, of which ${count(answered)} are recorded` : "";
  return [
    ...(sent === null
      ? []
      : [part(`Body: ${count(sent.bytes)} bytes${sent.left ? left[sent.left] : ""}`, asked, "asked")]),
    ...(answered === 0 ? [] : [part(`Answer: ${count(size)} bytes${cut}`, answered, "answered")]),
  ];
}

function rewritten(text: string): HTMLElement {
  const box = el("details", {}, el("summary", {}, "What the database was sent"));
  box.addEventListener("toggle", () => box.childElementCount === 1 && box.append(...longText(text, true)), {
    once: true,
  });
  return box;
}

function resultPart(
  result: PlayedResult,
  index: number,
  statement: PlayedStatement,
  recording: Recording,
  wanted: number | null,
): HTMLElement {
  const name = statement.results.length > 1 ? `Result ${index + 1}` : "Rows";
  const part = el("div", { class: "result" });
  if (result.columns.length === 0) {
    part.append(
      el("p", { class: "soft" }, ...foreign(`${name === "Rows" ? "" : `${name}: `}${result.tag ?? ""}`)),
    );
    return part;
  }
  const caption = el("p", { class: "soft", role: "status" });
  const table = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": name });
  const controls = el("div", { class: "controls" });
  part.append(caption, table, controls);
  let from = wanted === null ? 0 : Math.floor(wanted / PAGE) * PAGE;
  /** The page that was asked for last: an answer about one before it comes too late. */
  let turn = 0;
  const draw = async (): Promise<void> => {
    const mine = ++turn;
    const to = Math.min(from + PAGE, result.count);
    const told = (text: string): void => caption.replaceChildren(text);
    told("Reading…");
    try {
      const page = await untilAnswered(
        async () => (recording.elided ? { rows: [] } : recording.rows(result, from, to)),
        told,
        () => mine === turn && part.isConnected,
      );
      if (!page) return;
      const rows = rowTable(result, page.rows, from);
      table.replaceChildren(rows);
      const line = wanted === null ? undefined : rows.tBodies[0]?.rows[wanted - from];
      if (line) {
        line.classList.add("found");
        line.setAttribute("aria-current", "true");
        line.scrollIntoView({ block: "center" });
      }
      const range =
        result.count === 0 ? "no rows" : `${count(from + 1)} to ${count(to)} of ${count(result.count)}`;
      told(
        recording.elided
          ? "The task's rows are not recorded."
          : name === "Rows"
            ? `Rows ${range}`
            : `${name}: rows ${range}`,
      );
    } catch (error) {
      told(error instanceof Error ? error.message : "The rows cannot be read.");
    }
  };
  if (result.count > PAGE)
    controls.append(
      ...pager(
        result.count,
        () => from,
        (next) => {
          from = next;
          void draw();
        },
      ),
    );
  void draw();
  return part;
}

function pager(total: number, from: () => number, go: (from: number) => void): HTMLElement[] {
  const last = Math.floor((total - 1) / PAGE) * PAGE;
  const button = (label: string, to: () => number): HTMLElement => {
    const one = el("button", { type: "button" }, label);
    one.addEventListener("click", () => go(Math.min(Math.max(0, to()), last)));
    return one;
  };
  const row = el("input", { type: "number", min: 1, max: total, inputmode: "numeric" });
  row.addEventListener("change", () => {
    const wanted = Number(row.value);
    if (wanted >= 1) go(Math.min(Math.floor((wanted - 1) / PAGE) * PAGE, last));
  });
  return [
    button("First", () => 0),
    button("Earlier", () => from() - PAGE),
    button("Later", () => from() + PAGE),
    button("Last", () => last),
    el("label", { class: "inline" }, "Row ", row),
  ];
}

function rowTable(
  result: PlayedResult,
  rows: readonly (readonly (string | null)[])[],
  from: number,
): HTMLTableElement {
  const head = el("tr", {}, el("th", { scope: "col", class: "soft row" }, "#"));
  result.columns.forEach((name, i) => {
    const mark = result.marks[i];
    const badge =
      mark === "masked"
        ? el("span", { class: "badge masked" }, "masked")
        : mark === "computed"
          ? el("span", { class: "badge", title: "Computed where masked columns can be read" }, "computed")
          : null;
    head.append(el("th", { scope: "col" }, el("bdi", {}, ...foreign(name, true)), badge && " ", badge));
  });
  const body = el("tbody");
  rows.forEach((row, index) => {
    const line = el("tr", {}, el("td", { class: "soft row" }, count(from + index + 1)));
    row.forEach((value, i) => {
      const short = value === null || value.length <= SHORT_CELL ? "short" : "";
      line.append(el("td", { class: result.marks[i] === "masked" ? `masked ${short}` : short }, cell(value)));
    });
    body.append(line);
  });
  return el("table", {}, el("thead", {}, head), body);
}

/** A value as text, and nothing but text; NULL apart from the text "NULL". */
function cell(value: string | null): Node {
  if (value === null) return el("em", { class: "soft" }, "NULL");
  const box = el("bdi", {}, ...foreign(value.slice(0, LONG_CELL), true));
  if (value.length <= LONG_CELL) return box;
  const more = el("button", { type: "button", class: "more" }, `… ${count(value.length)} characters`);
  more.addEventListener("click", () => {
    box.replaceChildren(...foreign(value, true));
    more.remove();
  });
  return el("span", {}, box, more);
}
