/** The audit log: a form to search it, and what was found. */
import type { AuditEvent } from "../audit/events.ts";
import { Foreign, Page, Person, type Signed, Time } from "./layout.tsx";

export function AuditPage(props: Signed & { events: AuditEvent[]; query: Readonly<Record<string, string>> }) {
  const fields = [
    ["text", "Person or code", "text"],
    ["type", "Type", "text"],
    ["task", "Task", "text"],
    ["resource", "Resource", "text"],
    ["session", "Session", "text"],
    ["grant", "Grant", "text"],
    ["since", "From (UTC)", "datetime-local"],
    ["until", "To (UTC)", "datetime-local"],
  ] as const;
  const last = props.events.at(-1);
  const next = new URLSearchParams({ ...props.query, before: last?.id ?? "" });
  return (
    <Page title="Audit" path="/audit" visitor={props.visitor}>
      <search>
        <form class="row" method="get" action="/audit">
          {fields.map(([name, label, type]) => (
            <label>
              {label}
              <input name={name} type={type} value={props.query[name] ?? ""} autocomplete="off" />
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
