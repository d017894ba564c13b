/** What a person may do, what needs a yes, and why not; and every task in words. */
import { tasksFor } from "../../policies/decide.ts";
import type { Bundle, Task } from "../../policies/task.ts";
import { durationWords } from "../../policies/units.ts";
import { FormToken, Page, type Signed } from "./layout.tsx";
import { TaskCard } from "./request-pages.tsx";
import type { Visitor } from "./session.ts";

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
        <TaskCard task={task} />
      ))}
    </Page>
  );
}
