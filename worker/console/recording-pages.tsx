/** The list of recordings, and the page that one is played on. */
import { RECORDING_WORDS, type RecordingState } from "../../wire/recording-end.ts";
import type { FoundStatement, RecordingRow } from "../recordings/ledger.ts";
import { assetUrl } from "./assets.ts";
import { Foreign, Page, Person, type Signed, Time } from "./layout.tsx";

const STYLES: Readonly<Record<RecordingState, string>> = {
  ...{ live: "pending", open: "pending", final: "active", beyond: "active" },
  ...{ unchecked: "pending", gap: "pending", differs: "denied", none: "soft" },
};

/** What a state means, and what there is to say of this recording. */
function meaningOf({ state, detail }: Pick<RecordingRow, "state" | "detail">): string {
  const { meaning } = RECORDING_WORDS[state];
  return detail === null ? meaning : `${meaning}; ${detail}`;
}

/** The part of a text around what was searched for, and where that is in it. */
function excerpt(text: string, words: string): [before: string, found: string, after: string] {
  const at = text.toLowerCase().indexOf(words.toLowerCase());
  if (at < 0) return [text.slice(0, 400), "", ""];
  const from = Math.max(0, at - 120);
  const end = at + words.length;
  const before = `${from > 0 ? "…" : ""}${text.slice(from, at)}`;
  return [before, text.slice(at, end), `${text.slice(end, end + 280)}${text.length > end + 280 ? "…" : ""}`];
}

export function RecordingsPage(
  props: Signed & {
    rows: readonly RecordingRow[];
    found: readonly FoundStatement[] | null;
    query: Readonly<Record<string, string>>;
  },
) {
  const { query, rows, found, visitor } = props;
  const field = (name: string, label: string, type = "text") => (
    <label>
      {label}
      <input name={name} type={type} value={query[name] ?? ""} autocomplete="off" maxlength={256} />
    </label>
  );
  const last = rows.at(-1);
  return (
    <Page title="Recordings" path="/recordings" visitor={visitor}>
      <search>
        <form class="row" method="get" action="/recordings">
          {visitor.admin ? field("person", "Person") : null}
          {field("task", "Task")}
          {field("resource", "Resource")}
          {field("since", "From (UTC)", "datetime-local")}
          {field("until", "To (UTC)", "datetime-local")}
          {field("words", "Text of a statement")}
          <button type="submit" class="main">
            Search
          </button>
        </form>
      </search>
      {found ? (
        <FoundTable found={found} words={query["words"] ?? ""} />
      ) : (
        <RecordingTable rows={rows} all={visitor.admin} />
      )}
      {(found ?? rows).length === 0 ? (
        <p>
          {Object.keys(query).length > 0 ? (
            <>
              Nothing matches. <a href="/recordings">Show all</a>
            </>
          ) : (
            "A recording appears here with the first statement of a session."
          )}
        </p>
      ) : null}
      {rows.length >= 50 && last ? (
        <p>
          <a href={`/recordings?${new URLSearchParams({ ...query, before: String(last.started) })}`}>Older</a>
        </p>
      ) : null}
    </Page>
  );
}

function RecordingTable(props: { rows: readonly RecordingRow[]; all: boolean }) {
  return (
    <section class="scroll" aria-label="Recordings" tabindex={0}>
      <table>
        <caption>{props.all ? "Everyone's, newest first" : "Yours, newest first"}</caption>
        <thead>
          <tr>
            {["Session", "Who", "Task", "Reason", "Started", "Statements", "Rows", "Size", "State"].map(
              (head) => (
                <th scope="col">{head}</th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr>
              <td>
                {row.state === "none" ? (
                  <code>{row.id.slice(0, 8)}</code>
                ) : (
                  <a href={`/recordings/${row.id}`}>
                    {row.sealed ? "Open" : "Play"} <code>{row.id.slice(0, 8)}</code>
                  </a>
                )}
              </td>
              <td>
                <Person of={row} />
              </td>
              <td>
                {row.task} <span class="soft">on {row.resource}</span>
              </td>
              <td>
                <Foreign text={row.reason ?? ""} />
              </td>
              <td>
                <Time ms={row.started} />
              </td>
              <td>
                {row.statements}
                {row.denied > 0 ? <span class="denied">{` (${row.denied} refused)`}</span> : null}
              </td>
              <td>{row.rows}</td>
              <td>{sizeWords(row.size)}</td>
              <td>
                <State of={row} />
                {row.sealed ? <span class="soft">, sealed</span> : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function State({ of: row }: { of: Pick<RecordingRow, "state" | "detail"> }) {
  return (
    <span class={`status ${STYLES[row.state]}`} title={meaningOf(row)}>
      {RECORDING_WORDS[row.state].word}
    </span>
  );
}

function FoundTable(props: { found: readonly FoundStatement[]; words: string }) {
  return (
    <section class="scroll" aria-label="Statements" tabindex={0}>
      <table>
        <caption>
          {props.found.length === 100 ? "The newest 100 statements" : `Statements: ${props.found.length}`}
          {", newest first"}
        </caption>
        <thead>
          <tr>
            {["Statement", "Who", "Task", "Time", "Text"].map((head) => (
              <th scope="col">{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.found.map((one) => (
            <tr>
              <td>
                <a href={`/recordings/${one.session}#s=${one.n}`}>
                  <code>{one.session.slice(0, 8)}</code> {one.n}
                </a>
              </td>
              <td>
                <Person of={one} />
              </td>
              <td>{one.task}</td>
              <td>
                <Time ms={one.time} />
              </td>
              <td>
                {one.effect === "allow" ? null : <span class="denied">{one.effect} </span>}
                <Found text={one.text} words={props.words} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft">Statements of sealed recordings are not found here: their texts are not at the edge.</p>
    </section>
  );
}

function Found(props: { text: string; words: string }) {
  const [before, found, after] = excerpt(props.text, props.words);
  return (
    <>
      <Foreign text={before} />
      {found === "" ? null : (
        <b class="found">
          <Foreign text={found} />
        </b>
      )}
      <Foreign text={after} />
    </>
  );
}

const SPEEDS = ["0.5", "1", "2", "4", "8", "16"];
const KINDS = [
  ["", "Everything"],
  ["refused", "Refused"],
  ["held", "Held for approval"],
  ["error", "Errors"],
  ["masked", "Touching masked columns"],
  ["alarm", "Alarms and gaps"],
] as const;

/** What stands in the player's place when only auditors can read the recording. */
function SealedNotice(props: { row: RecordingRow }) {
  const { id, sealed } = props.row;
  return (
    <section class="card" aria-label="Sealed">
      <h2>This recording is sealed</h2>
      <p>
        It left the connector encrypted to its auditors. Neither this edge nor the owner of its store can read
        it, while the session runs or afterwards, so it cannot be played or searched here. An auditor reads it
        on a machine of theirs:
      </p>
      <pre tabindex={0}>
        {`wicket play ${id} --key-file auditor.jwk\n`}
        {`wicket recording export ${id} -o ${id}.zip\n`}
        {`wicket recording verify ${id}.zip --key KEY --key-file auditor.jwk`}
      </pre>
      <p>
        Without the auditor's key, the last command still checks that nothing was changed, left out or swapped
        in what is stored.
      </p>
      {sealed ? (
        <>
          <h3>Keys that open it</h3>
          <ul>
            {sealed.map((key) => (
              <li>
                <code>{key}</code>
              </li>
            ))}
          </ul>
        </>
      ) : null}
    </section>
  );
}

/** `sealed`: the recording is, or the task of a session that just began says that it will be. */
export function PlayerPage(props: Signed & { row: RecordingRow; sealed: boolean }) {
  const { row, visitor, sealed } = props;
  const title = `${row.task} on ${row.resource}`;
  const assets = sealed ? {} : { script: "player.js", style: "terminal.css" };
  return (
    <Page title={title} path="" within="/recordings" visitor={visitor} {...assets}>
      <dl class="facts">
        <dt>Who</dt>
        <dd>
          <Person of={row} />
        </dd>
        <dt>Reason</dt>
        <dd>
          <Foreign text={row.reason ?? "none given"} />
        </dd>
        <dt>Time</dt>
        <dd>
          <Time ms={row.started} /> to{" "}
          <span id="until">{row.ended === null ? "now" : <Time ms={row.ended} />}</span>
          {row.end_code ? ` (${row.end_code})` : ""}
        </dd>
        <dt>Recording</dt>
        <dd>
          <span id="stored">
            <State of={row} />
            {sealed
              ? `, sealed; ${row.segments} segment${row.segments === 1 ? "" : "s"}, ${sizeWords(row.size)}`
              : ""}
            <span class="soft">{`: ${meaningOf(row)}. `}</span>
          </span>
          <span id="state" role="status">
            {sealed ? null : (
              <span class="late">
                The player has not begun. <a href={`/recordings/${row.id}`}>Load the page again</a>
              </span>
            )}
          </span>
          {sealed ? null : (
            <details>
              <summary>Verify it</summary>
              <p>
                This page shows what the store has. That nobody changed it is proven by keys, without this
                edge:
              </p>
              <pre tabindex={0}>
                {`wicket recording export ${row.id} -o ${row.id}.zip\n`}
                {`wicket recording verify ${row.id}.zip --key LOG --key CONNECTOR`}
              </pre>
            </details>
          )}
        </dd>
      </dl>
      {sealed ? <SealedNotice row={row} /> : <Player row={row} />}
    </Page>
  );
}

function Player(props: { row: RecordingRow }) {
  const { row } = props;
  return (
    <>
      <noscript>
        <p class="warn">
          Playing needs script in this browser. On the command line: <code>wicket play {row.id}</code>
        </p>
      </noscript>
      <div
        id="player"
        class="player"
        data-session={row.id}
        data-started={String(row.started)}
        data-state={row.state}
        data-terminal={assetUrl("terminal.js")}
      >
        <fieldset class="controls" aria-label="Player">
          <button type="button" id="play" class="main">
            Play
          </button>
          <span class="pair">
            <button type="button" id="before" aria-label="The statement before">
              ←
            </button>
            <button type="button" id="after" aria-label="The next statement">
              →
            </button>
          </span>
          <label class="inline">
            Speed
            <select id="speed">
              {SPEEDS.map((speed) => (
                <option value={speed} selected={speed === "1"}>
                  {`${speed}×`}
                </option>
              ))}
            </select>
          </label>
          <label class="inline">
            <input type="checkbox" id="skip" checked /> Skip silence
          </label>
          <input type="range" id="position" min="0" max="0" value="0" aria-label="Position in the session" />
          <span id="clock" class="clock" />
          <label class="inline" id="live" hidden>
            <input type="checkbox" id="follow" checked /> Follow live
          </label>
          <button type="button" id="link">
            Copy link to this moment
          </button>
          <span id="copied" role="status" class="soft" />
        </fieldset>
        <search class="controls" aria-label="In this session">
          <label class="inline">
            Find
            <input
              type="search"
              id="search"
              autocomplete="off"
              maxlength={256}
              placeholder="SQL, parameter, error"
            />
          </label>
          <label class="inline">
            Show
            <select id="only">
              {KINDS.map(([value, label]) => (
                <option value={value}>{label}</option>
              ))}
            </select>
          </label>
          <span id="found" role="status" class="soft" />
          <button type="button" id="values-search">
            Find in rows
          </button>
        </search>
        <section id="values" class="values" aria-label="Rows with the words" hidden>
          <p class="controls">
            <span id="values-told" role="status" />
            <progress id="values-progress" aria-label="Segments searched" max="1" value="0" />
            <button type="button" id="values-stop">
              Stop
            </button>
            <button type="button" id="values-more" hidden>
              Search on
            </button>
            <button type="button" id="values-close">
              Close
            </button>
          </p>
          <ol id="values-list" class="scroll" aria-label="Values with the words" tabindex={0} />
        </section>
        <p id="alerts" class="warn" hidden />
        <div class="panes">
          <div id="items" class="items" role="listbox" tabindex={0} aria-label="What happened" />
          <section id="details" class="details" aria-label="Details" tabindex={0} />
        </div>
        <p class="soft">
          J and K go to the next statement and the one before, arrow keys move in the list, Space plays and
          pauses, / goes to the search, and Enter there looks into the rows. A cell of a masked column is
          marked; the value in the database never came here. What is copied from a table is text that no
          spreadsheet runs.
        </p>
      </div>
    </>
  );
}

/** `850 B`, `12.3 MB`. */
export function sizeWords(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const power = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(1)} ${["B", "kB", "MB", "GB"][power]}`;
}
