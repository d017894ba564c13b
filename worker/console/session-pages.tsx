/** Sessions: those that run, and those that ran. */
import type { SessionRow } from "../audit/store.ts";
import { FormToken, Page, Person, type Signed, Status, Time } from "./layout.tsx";

export function SessionsPage(props: Signed & { rows: SessionRow[]; all: boolean }) {
  const running = props.rows.filter((row) => row.ended === null).length;
  return (
    <Page title="Sessions" path="/sessions" visitor={props.visitor} live told={`${running} running`}>
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
              <tr data-key={row.id}>
                <td>
                  <Person of={row} />
                </td>
                <td>
                  {row.task}
                  <br />
                  <a href={`/recordings/${row.id}`}>{row.ended === null ? "Watch" : "Play"}</a>{" "}
                  <a href={`/audit?session=${encodeURIComponent(row.id)}`}>Events</a>
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
