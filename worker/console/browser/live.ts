/**
 * Keeps the part of a page that is marked `data-live` up to date. Rows have keys: only rows that changed are
 * replaced, and never the one that the person is in, so the keyboard stays where it is. What is new is said aloud.
 */

const EVERY_MS = 2_000;
const region = document.querySelector<HTMLElement>("[data-live]");
const told = document.querySelector<HTMLElement>("[data-told]");

/** Makes `old` like `fresh`, row by row where both have keyed rows. */
function update(old: Element, fresh: Element): void {
  if (old.isEqualNode(fresh)) return;
  const keyed = (parent: Element): Element[] | null => {
    const children = [...parent.children];
    return children.length > 0 && children.every((child) => child.hasAttribute("data-key")) ? children : null;
  };
  const same = old.tagName === fresh.tagName && old.id === fresh.id;
  if (!same || (old.childElementCount === 0 && fresh.childElementCount === 0)) {
    if (!old.contains(document.activeElement)) old.replaceWith(fresh);
    return;
  }
  const rows = keyed(fresh);
  if (rows && (keyed(old) || old.childElementCount === 0)) {
    updateRows(old, rows);
    return;
  }
  const children = [...fresh.children];
  if (old.childElementCount === children.length && onlyElements(old) && onlyElements(fresh)) {
    for (const [i, child] of [...old.children].entries()) update(child, children[i]!);
  } else if (!old.contains(document.activeElement)) old.replaceWith(fresh);
}

function onlyElements(parent: Element): boolean {
  return [...parent.childNodes].every(
    (node) => node.nodeType === Node.ELEMENT_NODE || !node.textContent?.trim(),
  );
}

function updateRows(old: Element, rows: readonly Element[]): void {
  const known = new Map([...old.children].map((row) => [row.getAttribute("data-key"), row]));
  let before: Element | null = null;
  for (const row of rows) {
    const there = known.get(row.getAttribute("data-key"));
    known.delete(row.getAttribute("data-key"));
    let placed: Element = row;
    if (there) {
      const keep = there.isEqualNode(row) || there.contains(document.activeElement);
      if (keep) placed = there;
      else there.replaceWith(row);
    }
    const wanted: Element | null = before ? before.nextElementSibling : old.firstElementChild;
    // A row with the focus is not moved: moving it would lose the focus.
    if (placed !== wanted && !placed.contains(document.activeElement)) old.insertBefore(placed, wanted);
    before = placed;
  }
  for (const row of known.values()) if (!row.contains(document.activeElement)) row.remove();
}

async function refresh(): Promise<void> {
  if (!region || document.hidden) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("[data-live]");
  if (fresh) update(region, fresh);
  const news = page.querySelector("[data-told]")?.textContent ?? "";
  if (told && told.textContent !== news) told.textContent = news;
}

// What fails now is tried again in the next round.
if (region) setInterval(() => void refresh().catch(() => undefined), EVERY_MS);
