/** The console's pages. Everything shown comes from the same functions that the API uses. */
import { tasksFor } from "../../policies/decide.ts";
import type { Bundle, Task } from "../../policies/task.ts";
import { durationWords } from "../../policies/units.ts";
import type { AuditEvent } from "../audit/events.ts";
import type { SessionRow } from "../audit/store.ts";
import { Foreign, FormToken, Page, Person, Status, Time } from "./layout.tsx";
import { TaskCard } from "./request-pages.tsx";
import type { Visitor } from "./session.ts";

interface Signed {
  readonly visitor: Visitor;
}

/** What can I do, what needs a yes, and why not. */
export function AccessPage(props: Signed & { bundle: Bundle; now: number }) {
  const offers = tasksFor(props.bundle, props.visitor.identity, props.now);
  const mine = offers.filter((offer) => offer.may);
  const others = offers.filter((offer) => !offer.may);
  return (
    <Page title="My access" path="/" visitor={props.visitor}>
      {mine.length === 0 ? <p>There is no task that you may run now.</p> : null}
      {mine.map(({ task, needsApproval }) => (
        <section class="card">
          <h2>{task.name}</h2>
          <p>{task.description}</p>
          <p class="soft">
            On {task.resource}, for {durationWords(task.session.ttlMs)} at most.
            {task.approval
              ? ` Needs the approval of ${task.approval.count} of ${task.approval.from.groups.join(", ")}.`
              : needsApproval
                ? " Some statements need an approval each."
                : ""}
          </p>
          <pre
            tabindex={0}
          >{`wicket connect ${task.resource} --task ${task.name}${example(task)} -- psql`}</pre>
          {task.approval ? <AskForm task={task} visitor={props.visitor} /> : null}
        </section>
      ))}
      {others.length === 0 ? null : (
        <section>
          <h2>Not for you now</h2>
          <ul>
            {others.map(({ task, why }) => (
              <li>
                {task.name}: {whyWords(why, task)}
              </li>
            ))}
          </ul>
        </section>
      )}
    </Page>
  );
}

function whyWords(why: string | null, task: Task): string {
  if (why === "NOT_A_MEMBER") return `it is for ${task.who.groups.join(", ") || "programs"}`;
  if (why === "MFA_REQUIRED") return "it needs a login with a second factor";
  if (why === "OUTSIDE_HOURS") return "it may not start at this time";
  return why ?? "";
}

function example(task: Task): string {
  const params = Object.keys(task.params).map((name) => ` --param ${name}=…`);
  return params.join("") + (task.require.reason === null ? "" : ` --reason '${task.require.reason}'`);
}

function AskForm(props: { task: Task; visitor: Visitor }) {
  const { task } = props;
  return (
    <form class="row" method="post" action="/requests" aria-label={`Ask for ${task.name}`}>
      <FormToken visitor={props.visitor} />
      <input type="hidden" name="task" value={task.name} />
      {Object.entries(task.params).map(([name, type]) => (
        <label>
          {`${name} (${type})`}
          <input name={`param.${name}`} required autocomplete="off" />
        </label>
      ))}
      <label>
        {task.require.reason === null ? "Reason" : `Reason (${task.require.reason})`}
        <input name="reason" required={task.require.reason !== null} autocomplete="off" maxlength={1000} />
      </label>
      <label>
        For (such as 15m)
        <input name="duration" placeholder={`${task.session.ttlMs / 60_000}m`} autocomplete="off" />
      </label>
      <button type="submit" class="main">
        Ask
      </button>
    </form>
  );
}

export function PoliciesPage(props: Signed & { bundle: Bundle }) {
  const tasks = Object.values(props.bundle.tasks).sort((a, b) => (a.name < b.name ? -1 : 1));
  return (
    <Page title="Policies" path="/policies" visitor={props.visitor}>
      <p class="soft">
        In force: <code>{props.bundle.digest}</code>
      </p>
      {tasks.map((task) => (
        <TaskCard task={task} />
      ))}
    </Page>
  );
}

export function SessionsPage(props: Signed & { rows: SessionRow[]; all: boolean }) {
  return (
    <Page title="Sessions" path="/sessions" visitor={props.visitor} live>
      <section class="scroll" aria-label="Sessions" tabindex={0}>
        <table>
          <caption>{props.all ? "Everyone's, newest first" : "Yours, newest first"}</caption>
          <thead>
            <tr>
              {["Who", "Task", "Started", "Ended", "Statements", "Refused", "Rows", ""].map((head) => (
                <th scope="col">{head || <span class="soft">Action</span>}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.rows.map((row) => (
              <tr>
                <td>
                  <Person of={row} />
                </td>
                <td>
                  <a href={`/audit?session=${encodeURIComponent(row.id)}`}>{row.task}</a>
                </td>
                <td>
                  <Time ms={row.started} />
                </td>
                <td>{row.ended === null ? <Status value="active" /> : <span>{row.end_code}</span>}</td>
                <td>{row.statements}</td>
                <td>{row.denied}</td>
                <td>{row.rows}</td>
                <td>
                  {row.ended === null ? (
                    <form method="post" action={`/sessions/${row.id}/kill`}>
                      <FormToken visitor={props.visitor} />
                      <button type="submit" aria-label={`End the session of ${row.task}`}>
                        End
                      </button>
                    </form>
                  ) : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </Page>
  );
}

export function AuditPage(props: Signed & { events: AuditEvent[]; query: Readonly<Record<string, string>> }) {
  const fields = ["text", "type", "task", "resource", "session", "grant"] as const;
  const last = props.events.at(-1);
  const next = new URLSearchParams({ ...props.query, before: last?.id ?? "" });
  return (
    <Page title="Audit" path="/audit" visitor={props.visitor}>
      <search>
        <form class="row" method="get" action="/audit">
          {fields.map((name) => (
            <label>
              {name === "text" ? "person or code" : name}
              <input name={name} value={props.query[name] ?? ""} autocomplete="off" />
            </label>
          ))}
          <button type="submit" class="main">
            Search
          </button>
        </form>
      </search>
      <section class="scroll" aria-label="Events" tabindex={0}>
        <table>
          <caption>{props.events.length} events, newest first</caption>
          <thead>
            <tr>
              {["Time", "Event", "Who", "Task", "Code", "More"].map((head) => (
                <th scope="col">{head}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {props.events.map((event) => (
              <tr>
                <td>
                  <Time ms={event.time} />
                </td>
                <td>
                  <span class={event.severity}>{event.type}</span>
                </td>
                <td>{event.actor ? <Person of={event.actor} /> : "–"}</td>
                <td>{event.task ?? "–"}</td>
                <td>{event.reason ?? "–"}</td>
                <td>
                  <details>
                    <summary>Details</summary>
                    <Foreign text={JSON.stringify(event, null, 1)} block />
                  </details>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {props.events.length >= 100 ? (
        <p>
          <a href={`/audit?${next}`}>Older</a>
        </p>
      ) : null}
    </Page>
  );
}

export function SignInPage(props: { issuers: readonly { label: string; href: string }[]; message?: string }) {
  return (
    <Page title="Sign in" path="" visitor={null}>
      {props.message ? <p class="warn">{props.message}</p> : null}
      {props.issuers.length === 0 ? (
        <p>No provider is configured for signing in through the browser.</p>
      ) : null}
      <ul>
        {props.issuers.map((issuer) => (
          <li>
            <a href={issuer.href}>Sign in with {issuer.label}</a>
          </li>
        ))}
      </ul>
    </Page>
  );
}

/** The person confirms that a program may sign in as them: nothing is handed out by a link alone. */
export function ConfirmPage(
  props: Signed & { title: string; words: string; action: string; fields: Readonly<Record<string, string>> },
) {
  return (
    <Page title={props.title} path="" visitor={props.visitor}>
      <p>{props.words}</p>
      <form class="row" method="post" action={props.action}>
        <FormToken visitor={props.visitor} />
        {Object.entries(props.fields).map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <button type="submit" class="main" name="answer" value="yes">
          Yes, sign it in
        </button>
        <button type="submit" name="answer" value="no">
          No
        </button>
      </form>
    </Page>
  );
}

export function DevicePage(props: Signed & { message?: string }) {
  return (
    <Page title="Sign in a program" path="" visitor={props.visitor}>
      {props.message ? <p class="warn">{props.message}</p> : null}
      <form class="row" method="get" action="/device">
        <label>
          The code that the program shows
          <input name="user_code" required autocomplete="off" autocapitalize="characters" maxlength={12} />
        </label>
        <button type="submit" class="main">
          Go on
        </button>
      </form>
    </Page>
  );
}

export function MessagePage(props: { visitor: Visitor | null; title: string; message: string }) {
  return (
    <Page title={props.title} path="" visitor={props.visitor}>
      <p>{props.message}</p>
    </Page>
  );
}
