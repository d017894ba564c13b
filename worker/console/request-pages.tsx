/** Requests: the lists, and the page on which a person decides. */
import type { Task } from "../../policies/task.ts";
import { durationWords } from "../../policies/units.ts";
import { taskInWords } from "../../policies/words.ts";
import type { AuditEvent } from "../audit/events.ts";
import type { HeldStatement } from "../grants/grant.ts";
import type { GrantRow } from "../grants/ledger.ts";
import type { GrantView } from "../grants/object.ts";
import { Foreign, FormToken, Page, Params, Person, type Signed, Status, Time } from "./layout.tsx";

export function RequestsPage(
  props: Signed & { inbox: GrantRow[]; review: GrantRow[]; mine: GrantRow[]; past: GrantRow[] },
) {
  return (
    <Page
      title="Requests"
      path="/requests"
      visitor={props.visitor}
      live
      told={`${props.inbox.length} request${props.inbox.length === 1 ? "" : "s"} for you to decide`}
    >
      <RequestTable caption="For you to decide" rows={props.inbox} />
      {props.review.length > 0 ? <RequestTable caption="Emergencies to review" rows={props.review} /> : null}
      <RequestTable caption="Yours, open" rows={props.mine} />
      <RequestTable caption="Past" rows={props.past} />
    </Page>
  );
}

function RequestTable(props: { caption: string; rows: readonly GrantRow[] }) {
  return (
    <section class="scroll" aria-label={props.caption} tabindex={0}>
      <table>
        <caption>
          {props.caption}
          {props.rows.length === 0 ? ": none" : ""}
        </caption>
        {props.rows.length === 0 ? null : (
          <thead>
            <tr>
              {["Task", "Who", "Parameters", "Reason", "For", "Status", "Asked"].map((head) => (
                <th scope="col">{head}</th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {props.rows.map((row) => (
            <tr data-key={row.id}>
              <td>
                <a href={`/requests/${row.id}`}>
                  {row.kind === "statement" ? `statement in ${row.task}` : row.task}
                </a>
              </td>
              <td>
                <Person of={row} />
              </td>
              <td>
                <Params of={row.params} />
              </td>
              <td>
                <Foreign text={row.reason ?? ""} />
              </td>
              <td>{durationWords(row.duration_ms)}</td>
              <td>
                <Status value={row.status} />
                {row.emergency ? ` emergency, ${row.emergency === "open" ? "not reviewed" : "reviewed"}` : ""}
              </td>
              <td>
                <Time ms={row.asked} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function RequestPage(
  props: Signed & { view: GrantView; task: Task | null; deliveries?: readonly AuditEvent[] },
) {
  const { visitor, view, task, deliveries = [] } = props;
  const { grant } = view;
  return (
    <Page
      title={grant.kind === "statement" ? "Statement to approve" : `Request for ${grant.task}`}
      path=""
      visitor={visitor}
    >
      <section class="card" aria-live="polite">
        <dl>
          <dt>Status</dt>
          <dd>
            <Status value={grant.status} />
            {grant.ended ? <Foreign text={` (${grant.ended.message})`} /> : null}
          </dd>
          {grant.emergency ? (
            <>
              <dt>Emergency</dt>
              <dd class="warn">
                Had without approval.{" "}
                {grant.review ? (
                  <>
                    Reviewed by <Person of={grant.review} />: <Foreign text={grant.review.comment ?? ""} />
                  </>
                ) : (
                  `To be reviewed by ${grant.emergency.review.join(" or ")}.`
                )}
              </dd>
            </>
          ) : null}
          <dt>Who asks</dt>
          <dd>
            <Person of={grant.requester} />
            {grant.actor ? (
              <>
                , through <Foreign text={grant.actor.subject} />
              </>
            ) : null}
          </dd>
          <dt>Task</dt>
          <dd>
            {grant.task} on {grant.resource}
          </dd>
          <dt>Parameters</dt>
          <dd>
            <Params of={grant.params} />
          </dd>
          <dt>Reason</dt>
          <dd>
            <Foreign text={grant.reason ?? "none given"} />
          </dd>
          {grant.description === null ? null : (
            <>
              <dt>In their words</dt>
              <dd>
                <Foreign text={grant.description} />
              </dd>
            </>
          )}
          <dt>For</dt>
          <dd>
            {durationWords(grant.durationMs)} from the approval
            {grant.budget.sessions === null ? "" : `, ${grant.budget.sessions} session(s)`}
          </dd>
          <dt>{grant.status === "pending" ? "Decide before" : "Ends"}</dt>
          <dd>
            <Time ms={grant.expires} />
          </dd>
          <dt>Approved by</dt>
          <dd>
            {grant.approvals.length} of {grant.approval?.count ?? 0}
            {grant.approvals.map((one) => (
              <>
                , <Person of={one} />
              </>
            ))}
          </dd>
        </dl>
      </section>
      {deliveries.length > 0 ? <Deliveries of={deliveries} /> : null}
      {grant.statement ? <StatementCard statement={grant.statement} /> : null}
      {task && !grant.statement ? <TaskCard task={task} /> : null}
      {view.mayDecide ? (
        <section aria-label="Decide">
          <form class="row" method="post" action={`/requests/${grant.id}/approve`}>
            <FormToken visitor={visitor} />
            <input type="hidden" name="seen" value={grant.statement?.digest ?? grant.taskDigest} />
            <label>
              Comment
              <input name="comment" maxlength={1000} autocomplete="off" />
            </label>
            <button type="submit" class="main">
              Approve
            </button>
          </form>
          <form class="row" method="post" action={`/requests/${grant.id}/deny`}>
            <FormToken visitor={visitor} />
            <label>
              Why not
              <input name="comment" required maxlength={1000} autocomplete="off" />
            </label>
            <button type="submit">Deny</button>
          </form>
        </section>
      ) : null}
      {view.mayReview ? (
        <form class="row" method="post" action={`/requests/${grant.id}/review`}>
          <FormToken visitor={visitor} />
          <label>
            What you found
            <input name="comment" required maxlength={1000} autocomplete="off" />
          </label>
          <button type="submit" class="main">
            Reviewed
          </button>
        </form>
      ) : null}
      {view.mayRevoke && !view.mayDecide ? (
        <form class="row" method="post" action={`/requests/${grant.id}/revoke`}>
          <FormToken visitor={visitor} />
          <label>
            Why
            <input name="comment" maxlength={1000} autocomplete="off" />
          </label>
          <button type="submit">
            {grant.status === "pending" ? "Withdraw" : "Revoke, and end its sessions"}
          </button>
        </form>
      ) : null}
    </Page>
  );
}

/** Who was told of the request, and where that failed. */
function Deliveries(props: { of: readonly AuditEvent[] }) {
  return (
    <details>
      <summary>{`Notifications: ${props.of.length}`}</summary>
      <ul>
        {props.of.map((event) => (
          <li>
            <Time ms={event.time} />{" "}
            {event.type === "notification.sent"
              ? `${event.data.event} to ${event.data.endpoint}, taken at try ${event.data.tries}`
              : event.type === "notification.failed"
                ? `given up at ${event.data.endpoint}: ${event.data.message}`
                : ""}
          </li>
        ))}
      </ul>
    </details>
  );
}

function StatementCard(props: { statement: HeldStatement }) {
  const { statement } = props;
  return (
    <section class="card">
      <h2>What would run</h2>
      <Foreign text={statement.text} block />
      {statement.params ? (
        <dl>
          {statement.params.map((value, index) => (
            <>
              <dt>${index + 1}</dt>
              <dd>{value === null ? <em>NULL</em> : <Foreign text={value} />}</dd>
            </>
          ))}
        </dl>
      ) : null}
      <dl>
        <dt>Touches</dt>
        <dd>
          {statement.relations.join(", ") || "no table"}
          <ul>
            {statement.touches.map((one) => (
              <li>
                {one.verb} {one.relation}
                {one.columns === "*"
                  ? ", all columns"
                  : one.columns.length > 0
                    ? ` (${one.columns.join(", ")})`
                    : ""}
                {one.rows === null ? ", all rows" : ", rows where "}
                {one.rows === null ? null : <code>{one.rows}</code>} <span class="soft">{one.at}</span>
              </li>
            ))}
          </ul>
        </dd>
        <dt>Estimated rows</dt>
        <dd>{statement.estimatedRows ?? "not known"}</dd>
        <dt>Masked there</dt>
        <dd>{statement.masked.join(", ") || "nothing"}</dd>
        <dt>Rule</dt>
        <dd>{statement.rule ?? "–"}</dd>
        <dt>Digest</dt>
        <dd>
          <code>{statement.digest}</code>
        </dd>
      </dl>
      {statement.plan === null ? (
        <p class="soft">No plan is shown: {statement.noPlan ?? "there is none"}.</p>
      ) : (
        <>
          <h2>Plan</h2>
          <Foreign text={statement.plan} block />
        </>
      )}
    </section>
  );
}

/** A task in plain words. */
export function TaskCard(props: { task: Task }) {
  const words = taskInWords(props.task);
  return (
    <section class="card">
      <h2>{words.name}</h2>
      <p>{words.description}</p>
      <h3>Who</h3>
      <List of={words.who} />
      <h3>May</h3>
      <ul>
        {words.may.map((one) => (
          <li>
            {one.text}
            {one.approval ? "; each use is approved" : ""} <span class="soft">{one.at}</span>
          </li>
        ))}
      </ul>
      <h3>Needs</h3>
      <List of={words.needs} />
      <h3>Limits</h3>
      <List of={[...words.limits, words.recording]} />
    </section>
  );
}

function List(props: { of: readonly string[] }) {
  if (props.of.length === 0) return <p class="soft">nothing</p>;
  return (
    <ul>
      {props.of.map((line) => (
        <li>{line}</li>
      ))}
    </ul>
  );
}
