/** What a person may do, what needs a yes, and why not; and every task in words. */
import { tasksFor } from "../../policies/decide.ts";
import type { Bundle, Task } from "../../policies/task.ts";
import { durationWords } from "../../policies/units.ts";
import type { GrantRow } from "../grants/ledger.ts";
import { FormToken, Page, Params, type Signed, Status, Time } from "./layout.tsx";
import { TaskCard } from "./request-pages.tsx";
import type { Visitor } from "./session.ts";

/** What can I do, what needs a yes, and why not. */
export function AccessPage(
  props: Signed & { bundle: Bundle; grants: readonly GrantRow[]; now: number; edge: string },
) {
  const offers = tasksFor(props.bundle, props.visitor.identity, props.now);
  const mine = offers.filter((offer) => offer.may);
  const others = offers.filter((offer) => !offer.may);
  const held = (task: Task): GrantRow[] =>
    props.grants.filter((row) => row.task === task.name && row.kind !== "statement");
  return (
    <Page title="My access" path="/" visitor={props.visitor}>
      {mine.length === 0 ? <p>There is no task that you may run now.</p> : null}
      {mine.map(({ task, needsApproval }) => (
        <section class="card">
          <h2>{task.name}</h2>
          <p>{task.description}</p>
          <p class="soft">
            On {task.resource}, for {durationWords(task.session.ttlMs)} at most.{" "}
            {approvalWords(task, needsApproval)} <a href={`/policies#${task.name}`}>What it allows</a>
          </p>
          {held(task).map((row) => (
            <p>
              <Status value={row.status} />{" "}
              <a href={`/requests/${row.id}`}>
                {row.status === "active" ? "granted" : "asked for"} with <Params of={row.params} />
              </a>
              , until <Time ms={row.expires} />
            </p>
          ))}
          <pre tabindex={0}>{example(task, props.edge)}</pre>
          {task.approval ? <AskForm task={task} visitor={props.visitor} /> : null}
        </section>
      ))}
      {others.length === 0 ? null : (
        <section>
          <h2>Not for you now</h2>
          <ul>
            {others.map(({ task, why }) => (
              <li>
                <strong>{task.name}</strong>: {whyWords(why, task)}.{" "}
                <span class="soft">Ask {task.owner}.</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Page>
  );
}

function approvalWords(task: Task, some: boolean): string {
  const { approval } = task;
  const each = [...task.rules, ...task.requestRules].some((rule) => rule.approval !== null);
  if (!approval) return some ? "Some operations need an approval each." : "No approval is needed.";
  const from = approval.from.groups.join(", ");
  const people = approval.count === 1 ? "one person" : `${approval.count} people`;
  return `Needs the approval of ${people} of ${from}${each ? "; some operations need another one each" : ""}.`;
}

/** Why not, and by which line of the policies. */
function whyWords(why: string | null, task: Task): string {
  const { refs, who } = task;
  if (why === "NOT_A_MEMBER") {
    const people = who.groups.length > 0 ? `members of ${who.groups.join(", ")}` : "programs";
    return `it is for ${people} (${refs.who})`;
  }
  if (why === "MFA_REQUIRED") return `it needs a login with a second factor (${refs.require})`;
  if (why === "OUTSIDE_HOURS") return `it may not start at this time (${refs.require})`;
  return why ?? "";
}

/** What to type. */
function example(task: Task, edge: string): string {
  const params = Object.keys(task.params).map((name) => ` --param ${name}=…`);
  const reason = task.require.reason === null ? "" : ` --reason '${task.require.reason}'`;
  const how = `${task.resource} --task ${task.name}${params.join("")}${reason}`;
  if (task.resourceType === "kubernetes") return `wicket kubeconfig ${how}\nkubectl get pods`;
  if (task.resourceType === "http")
    return `curl ${edge}/http/${task.resource}/… -H 'Wicket-Task: ${task.name}'`;
  return `wicket connect ${how} -- psql`;
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
      {task.approval?.emergency ? (
        <label>
          <input type="checkbox" name="emergency" value="yes" /> Emergency: without waiting; it raises an
          alarm and is reviewed
        </label>
      ) : null}
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
        <div id={task.name}>
          <TaskCard task={task} />
        </div>
      ))}
    </Page>
  );
}
