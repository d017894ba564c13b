/** The list of recordings, and the page that one is played on. */
import type { FoundStatement, RecordingRow, RecordingState } from "../recordings/ledger.ts";
import { assetUrl } from "./assets.ts";
import { Foreign, Page, Person, type Signed, Time } from "./layout.tsx";

const STATES: Readonly<Record<RecordingState, [word: string, style: string, meaning: string]>> = {
  live: ["live", "pending", "the session runs; what is stored so far can be played"],
  open: ["not closed", "pending", "the session is over; the end of its recording is not stored yet"],
  final: ["closed, roots agree", "active", "the connector's running roots are those that the edge counted"],
  unchecked: ["closed", "pending", "the edge has no roots of its own to compare: its object was reset"],
  differs: ["roots differ", "denied", "the connector's running roots are not those that the edge counted"],
  none: ["empty", "soft", "nothing of it is stored"],
};

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
      {found ? <FoundTable found={found} /> : <RecordingTable rows={rows} all={visitor.admin} />}
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
        <caption>
          {props.all ? "Everyone's, newest first" : "Yours, newest first"}
          {props.rows.length === 0 ? ": none" : ""}
        </caption>
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
                <State value={row.state} />
                {row.sealed ? <span class="soft">, sealed</span> : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function State(props: { value: RecordingState }) {
  const [word, style, meaning] = STATES[props.value];
  return (
    <span class={`status ${style}`} title={meaning}>
      {word}
    </span>
  );
}

function FoundTable(props: { found: readonly FoundStatement[] }) {
  return (
    <section class="scroll" aria-label="Statements" tabindex={0}>
      <table>
        <caption>{`${props.found.length}${props.found.length === 100 ? " or more" : ""} statements, newest first`}</caption>
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
                <Foreign text={one.text.slice(0, 400)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft">Statements of sealed recordings are not found here: their texts are not at the edge.</p>
    </section>
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
    <Page title={title} path="" visitor={visitor} {...assets}>
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
          <Time ms={row.started} /> to {row.ended === null ? "now" : <Time ms={row.ended} />}
          {row.end_code ? ` (${row.end_code})` : ""}
        </dd>
        <dt>Recording</dt>
        <dd>
          <span id="stored">
            <State value={row.state} />
            {sealed ? `, sealed; ${row.segments} segments, ${sizeWords(row.size)}` : ""}.{" "}
          </span>
          <span id="state" role="status" />
          <br />
          <span class="soft">
            {"Held against the connector's and the edge's keys: "}
            <code>wicket recording export {row.id.slice(0, 8)}…</code>, then{" "}
            <code>wicket recording verify</code>.
          </span>
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
            <input type="search" id="search" autocomplete="off" maxlength={256} />
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
        </search>
        <div class="panes">
          <div id="items" class="items" role="listbox" tabindex={0} aria-label="What happened" />
          <section id="details" class="details" aria-label="Details" tabindex={0} />
        </div>
        <p class="soft">
          Arrow keys move in the list, Space plays and pauses, / goes to the search. A cell of a masked column
          is marked; the value in the database never came here.
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
