/** The player of recordings: reads segments one after the other, shows what happened, and plays it in its time. */
import { keepInert } from "./copying.ts";
import { details, type RowPlace } from "./details.ts";
import { byId, bytesWords, clockWords, count, counted, el } from "./dom.ts";
import { ItemList } from "./item-list.ts";
import { type Moment, momentOf, rowHash } from "./moments.ts";
import { type Item, Recording } from "./recording.ts";
import { Segments, untilAnswered } from "./segments.ts";
import { Terminals } from "./terminals.ts";
import { ValueSearchPanel } from "./value-search.ts";

/** How often a session that runs is asked for more, milliseconds. */
const LIVE_MS = 1_000;
/** Longest silence that is played, milliseconds, when silence is skipped. */
const SILENCE_MS = 2_000;
const TICK_MS = 100;
/** While segments are read: how often the list is drawn, and how long the browser is kept from painting, milliseconds. */
const DRAW_MS = 200;
const PAINT_MS = 50;

const root = byId("player");
const started = Number(root.dataset["started"]);
const segments = new Segments(root.dataset["session"]!);
const recording = new Recording(segments);
const state = byId("state");
const panel = byId("details");
const alerts = byId("alerts");
const play = byId<HTMLButtonElement>("play");
const speed = byId<HTMLSelectElement>("speed");
const skip = byId<HTMLInputElement>("skip");
const line = byId<HTMLInputElement>("position");
const clock = byId("clock");
const search = byId<HTMLInputElement>("search");
const only = byId<HTMLSelectElement>("only");
const found = byId("found");
const follow = byId<HTMLInputElement>("follow");

/** Played so far, milliseconds since the start. */
let position = 0;
let playing: ReturnType<typeof setInterval> | null = null;
/** Set while the address says a moment that is not read yet. */
let wanted: Moment | null = momentOf(location.hash);
let shown: readonly Item[] = recording.items;
/** Facts of the item in the panel, as they are drawn. */
let drawn = "";
const terminals = new Terminals({
  ...{ recording, address: root.dataset["terminal"]! },
  speed: () => Number(speed.value),
  again: () => open(list.selected),
});
// Who came for a moment stays there.
if (wanted) follow.checked = false;

const list = new ItemList(byId("items"), started, (item) => {
  pause();
  goTo(item);
});

function open(item: Item | null, place: RowPlace | null = null): void {
  drawn = factsOf(item);
  panel.replaceChildren(
    ...(item ? details(item, recording, started, (one) => terminals.of(one), place) : []),
  );
}

/** What is shown of an item that may grow while the session runs. */
function factsOf(item: Item | null): string {
  if (item?.kind !== "statement") return "";
  const { n, outcome, results, casts, asked, answered } = item.statement;
  return [n, outcome?.ms, ...results.map(({ count: rows }) => rows), casts, asked, answered].join(" ");
}

/** Shows an item and stands at its time. */
function goTo(item: Item): void {
  position = Math.max(0, item.at - started);
  open(item);
  panel.scrollTop = 0;
  nameMoment();
  drawClock();
}

/** Puts the moment that is shown into the address: a statement by its number, anything else by its time. */
function nameMoment(): void {
  const item = list.selected;
  const there = item?.kind === "statement" && Math.max(0, item.at - started) === position;
  const hash = there ? `#s=${item.statement.n}` : `#t=${(position / 1000).toFixed(1)}`;
  history.replaceState(null, "", hash);
}

/** The line before or after the one that is shown. */
function step(by: 1 | -1): void {
  const at = list.selected ? shown.indexOf(list.selected) + by : 0;
  const item = shown[at];
  if (!item) return;
  pause();
  list.select(item);
  goTo(item);
}

function drawClock(): void {
  const length = Math.max(0, recording.until - started);
  line.max = String(length);
  line.value = String(position);
  const words = `${clockWords(position)} of ${clockWords(length)}`;
  line.setAttribute("aria-valuetext", words);
  clock.textContent = words;
}

/** The last item of those shown that had happened at `ms`. */
function itemAt(ms: number): Item | null {
  return shown[countAt(ms) - 1] ?? null;
}

/** How many of the items shown had happened at `ms`. */
function countAt(ms: number): number {
  let low = 0;
  let high = shown.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (shown[middle]!.at - started <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

function seek(ms: number): void {
  position = ms;
  const item = itemAt(ms);
  if (item !== list.selected) {
    list.select(item);
    open(item);
  }
  drawClock();
}

/** The person goes their own way: nothing moves by itself any more. */
function pause(): void {
  follow.checked = false;
  if (!playing) return;
  clearInterval(playing);
  playing = null;
  play.textContent = "Play";
  nameMoment();
}

function start(): void {
  const end = recording.until - started;
  if (position >= end) seek(0);
  play.textContent = "Pause";
  let last = performance.now();
  playing = setInterval(() => {
    const now = performance.now();
    let step = (now - last) * Number(speed.value);
    last = now;
    if (skip.checked) {
      const next = nextAfter(position);
      if (next !== null && next - position > SILENCE_MS + step) step = next - position - SILENCE_MS;
    }
    seek(Math.min(position + step, recording.until - started));
    if (position >= recording.until - started && recording.final !== null) pause();
  }, TICK_MS);
}

function nextAfter(ms: number): number | null {
  const next = shown[countAt(ms)];
  return next ? next.at - started : null;
}

play.addEventListener("click", () => (playing ? pause() : start()));
line.addEventListener("input", () => {
  pause();
  seek(Number(line.value));
  nameMoment();
});
byId("before").addEventListener("click", () => step(-1));
byId("after").addEventListener("click", () => step(1));
document.addEventListener("keydown", (event) => {
  const typing = (event.target as Element).closest(
    "input:not([type=range]), select, textarea, button, pre, .scroll, #values",
  );
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === " ") play.click();
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "/") search.focus();
  else return;
  event.preventDefault();
});
byId("link").addEventListener("click", async () => {
  nameMoment();
  // Without a secure origin there is no clipboard.
  const copied = await Promise.resolve()
    .then(() => navigator.clipboard.writeText(location.href))
    .then(
      () => true,
      () => false,
    );
  byId("copied").textContent = copied
    ? "The address of this moment is copied."
    : "The browser's address names this moment now: copy it from there.";
});
keepInert(panel);

// --- search and filter ------------------------------------------------------------------------------------

function matches(item: Item, words: string): boolean {
  if (only.value !== "" && !isOf(item, only.value)) return false;
  if (words === "") return true;
  if (item.kind === "fact") return item.fact.text.toLowerCase().includes(words);
  const { text, decision, outcome, params } = item.statement;
  if (values.has(item.statement.n, words)) return true;
  const parts = [text, decision.reason, decision.message, outcome?.message ?? "", outcome?.tag ?? ""];
  for (const value of params) if (typeof value === "string") parts.push(value);
  return parts.some((part) => part.toLowerCase().includes(words));
}

function isOf(item: Item, kind: string): boolean {
  if (item.kind === "fact") return kind === "alarm" && !/^(end|notification)$/.test(item.fact.kind);
  const { decision, outcome } = item.statement;
  if (kind === "refused") return decision.effect === "deny";
  if (kind === "held") return decision.effect === "hold";
  if (kind === "masked") return decision.masked.length > 0;
  return kind === "error" && outcome?.ok === false && decision.effect !== "deny";
}

function filter(): void {
  const words = search.value.trim().toLowerCase();
  const all = words === "" && only.value === "";
  shown = all ? recording.items : recording.items.filter((item) => matches(item, words));
  list.show(shown);
  found.textContent = all
    ? counted(shown.length, "line")
    : `${count(shown.length)} of ${counted(recording.items.length, "line")}`;
}

search.addEventListener("input", filter);
only.addEventListener("change", filter);

const values = new ValueSearchPanel(
  recording,
  (place, { row }) => {
    const item = recording.items.find((one) => one.kind === "statement" && one.statement.n === place.n);
    if (!item) return;
    pause();
    if (!shown.includes(item)) {
      only.value = "";
      filter();
    }
    list.select(item);
    position = Math.max(0, item.at - started);
    open(item, { result: place.result, row });
    drawClock();
    history.replaceState(null, "", rowHash(place.n, place.result, row));
  },
  filter,
  paint,
);

function searchValues(): void {
  const words = search.value.trim();
  if (words !== "") void values.start(words);
  else search.focus();
}
byId("values-search").addEventListener("click", searchValues);
search.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  searchValues();
});

// --- moments in the address -------------------------------------------------------------------------------

/** Goes to the moment that the address names, once it is read. */
function goToWanted(complete: boolean): void {
  if (!wanted) return;
  const { s, t, place = null } = wanted;
  let item: Item | null = null;
  if (s !== undefined) {
    item = recording.items.find((one) => one.kind === "statement" && one.statement.n === s) ?? null;
  } else if (complete || recording.until - started >= t! * 1000) item = itemAt(t! * 1000);
  if (!item) {
    const where = s === undefined ? `moment ${clockWords(t! * 1000)}` : `statement ${count(s)}`;
    const rest = recording.final !== null || (complete && segments.ended);
    const words = rest ? `The recording has no ${where}.` : `Reading on to ${where}…`;
    if (panel.textContent !== words) panel.replaceChildren(el("p", { class: "soft", role: "status" }, words));
    return;
  }
  // A row is there when its statement is over.
  const unfinished = place !== null && item.kind === "statement" && item.statement.outcome === null;
  if (unfinished && !complete) return;
  wanted = null;
  list.select(item);
  position = t === undefined ? Math.max(0, item.at - started) : t * 1000;
  open(item, place);
  drawClock();
}

addEventListener("hashchange", () => {
  wanted = momentOf(location.hash);
  goToWanted(true);
});

// --- reading ----------------------------------------------------------------------------------------------

function drawState(): void {
  const { list: known, verified, ended, size } = segments;
  const parts: string[] = [];
  if (known.length > 0)
    parts.push(
      `${count(verified.size)} of ${counted(known.length, "segment")} (${bytesWords(size)}) read and in order`,
    );
  if (recording.final !== null) parts.push(`closed: ${recording.final}`);
  else if (ended && root.dataset["state"] === "live")
    parts.push("the session is over, the end is not stored yet");
  state.textContent = parts.length === 0 ? "" : `${parts.join("; ")}.`;
  // What the page said of a session that ran is no longer so.
  if (recording.final !== null && root.dataset["state"] === "live") {
    byId("stored").hidden = true;
    byId("until").textContent =
      `${new Date(recording.until).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  }
  byId("live").hidden = ended;
  state.dataset["state"] = recording.final !== null ? "final" : ended ? "open" : "live";
}

/** Reads what is known; draws the first of it at once, and the rest as often as somebody can see it. */
async function readAll(): Promise<void> {
  let seen = 0;
  let painted = performance.now();
  const pause = async (): Promise<void> => {
    const nothing = list.empty;
    const now = performance.now();
    if (nothing || now - seen > DRAW_MS) {
      seen = now;
      draw();
      goToWanted(false);
    }
    if (!nothing && now - painted < PAINT_MS) return;
    await paint();
    painted = performance.now();
  };
  let complete = false;
  try {
    while (await recording.next(pause)) await pause();
    complete = true;
  } finally {
    // What was read is shown, whatever became of the rest.
    draw();
    goToWanted(complete);
  }
}

/** Lets the browser paint and take input; a page out of sight paints nothing, and goes on. */
function paint(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, PAINT_MS);
  });
}

/** What nobody should have to look for: gaps and alarms, and a way to them. */
function drawAlerts(): void {
  const of = (kind: string): number =>
    recording.items.filter((item) => item.kind === "fact" && item.fact.kind === kind).length;
  const words = [
    [of("gap"), "gap"],
    [of("alarm"), "alarm"],
  ] as const;
  const told = words.filter(([number]) => number > 0).map(([number, word]) => counted(number, word));
  alerts.hidden = told.length === 0;
  const text = `This recording states ${told.join(" and ")}.`;
  if (alerts.hidden || alerts.firstChild?.textContent === text) return;
  const show = el("button", { type: "button" }, "Show");
  show.addEventListener("click", () => {
    only.value = "alarm";
    filter();
    const [first] = shown;
    if (first) {
      pause();
      list.select(first);
      goTo(first);
    }
  });
  alerts.replaceChildren(el("span", {}, text), " ", show);
}

function draw(): void {
  filter();
  drawState();
  drawAlerts();
  // The start is shown while the rest is read.
  if (!list.selected && !wanted && shown[0]) seek(shown[0].at - started);
  else drawClock();
  if (recording.items.length === 0 && segments.ended)
    panel.replaceChildren(el("p", { class: "soft" }, "There is nothing to play."));
}

/** Asks what came since, and reads and shows it. */
async function readOn(): Promise<void> {
  const changed = await segments.refresh();
  if (!changed && recording.read === segments.list.length) return drawState();
  await readAll();
  if (follow.checked && !segments.ended) {
    const last = shown.at(-1) ?? null;
    if (last && last !== list.selected) seek(recording.until - started);
  } else if (list.selected) list.refresh();
  redraw();
}

/** The item in the panel, when there is more of it: while it is followed, and once it is over. */
function redraw(): void {
  const item = list.selected;
  if (item?.kind !== "statement" || factsOf(item) === drawn) return;
  if (!follow.checked && item.statement.outcome === null) return;
  const { scrollTop } = panel;
  open(item);
  panel.scrollTop = scrollTop;
}

async function run(): Promise<void> {
  const told = (words: string): void => {
    state.textContent = words;
    state.dataset["state"] = "waiting";
  };
  for (;;) {
    await untilAnswered(readOn, told, () => true);
    if (recording.final !== null) return;
    const wait = segments.ended ? 5 * LIVE_MS : LIVE_MS;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

state.textContent = "Reading…";
run().catch((error: unknown) => {
  state.textContent = error instanceof Error ? error.message : "The recording cannot be read.";
  state.dataset["state"] = "failed";
});
