/**
 * What is copied out of the details: text and nothing else, and no cell that a spreadsheet would run. Escape sequences
 * are marks on the page already (dom.ts), so they are marks in what is copied.
 */

/** How a formula begins in a spreadsheet; a number with a sign is none. */
const FORMULA = /^\s*[=+\-@|\t\r]/;
const NUMBER = /^\s*[+-]?[\d.,]+(e[+-]?\d+)?\s*$/i;

/** A cell as it may be put into a spreadsheet: an apostrophe before what would be a formula there. */
export function inertCell(text: string): string {
  return FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
}

/** From now on what is copied out of `box` is plain text, of tables cell by cell. */
export function keepInert(box: HTMLElement): void {
  box.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (!selection || selection.isCollapsed || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", copied(selection));
    event.preventDefault();
  });
}

function copied(selection: Selection): string {
  const range = selection.getRangeAt(0);
  const part = range.cloneContents();
  const rows = [...part.querySelectorAll("tr")];
  const text = selection.toString();
  // Within one cell, or outside of tables.
  if (rows.length === 0) return cells(part) ?? text.split("\n").map(inertCell).join("\n");
  const lines = rows.map((row) => cells(row) ?? "");
  const whole = range.commonAncestorContainer as Element;
  const table = whole.nodeType === Node.ELEMENT_NODE ? whole.closest("table") : null;
  // What stands around a table is copied with it, as the browser reads it.
  return table ? lines.join("\n") : text.split("\n").map(inertLine).join("\n");
}

/** The cells in `part`, as one line; null when there are none. */
function cells(part: ParentNode): string | null {
  const found = [...part.querySelectorAll("td, th")];
  if (found.length === 0) return null;
  return found.map((cell) => inertCell((cell.textContent ?? "").replace(/[\t\n\r]+/g, " "))).join("\t");
}

function inertLine(line: string): string {
  return line.split("\t").map(inertCell).join("\t");
}
