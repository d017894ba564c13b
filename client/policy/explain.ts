/** `wicket policy explain`: what one statement of one person under one task would become, and why. */
import { nearestTask } from "../../policies/decide.ts";
import type { StatementDecider, StatementDecision } from "../../policies/postgres/decision.ts";
import type { SourceRef, Task } from "../../policies/task.ts";
import { identityOf, startRefusal } from "../../policies/tests.ts";
import { exit, jsonText, type PolicyIo } from "./io.ts";
import { openPolicy, type PolicySource, personNamed, taskNamed } from "./open.ts";

export interface ExplainOptions extends PolicySource {
  readonly task: string;
  /** A person of people.yaml. */
  readonly as: string;
  readonly sql: string;
  /** `name=value`; null = parameters are not looked at. */
  readonly params: Readonly<Record<string, string>> | null;
  /** Null = the reason is not looked at. */
  readonly reason: string | null;
  /** Milliseconds since the epoch; null = hours are not looked at. */
  readonly now: number | null;
  readonly json: boolean;
  /** End with 3 when it is denied and 5 when it waits for approval. */
  readonly exitCode: boolean;
}

/** What `--json` prints. */
export interface Explanation {
  readonly decision: "allow" | "deny" | "hold";
  readonly reason: string;
  /** `file:line`; null when no single rule decided. */
  readonly rule: SourceRef | null;
  readonly rewritten: string | null;
  readonly relations: readonly string[];
  readonly masked: readonly string[];
  readonly message: string;
  readonly hint: string | null;
  readonly sqlstate: string | null;
  /** 1-based character of the statement that the refusal is about. */
  readonly position: number | null;
  readonly statements: StatementDecision["statements"];
  readonly task: string;
  readonly as: string;
  /** Digest of the task. */
  readonly digest: string;
  /** The nearest other task of this person that would allow it. */
  readonly nearest: string | null;
}

/** Explains one statement. Exit code 0 whatever the decision, unless asked otherwise; 2 for unknown names. */
export async function policyExplain(options: ExplainOptions, io: PolicyIo): Promise<number> {
  const policy = await openPolicy(options, io);
  if (policy === null) return exit.failure;
  const task = taskNamed(policy.library, options.task, io);
  const person = personNamed(policy.library, options.as, io);
  if (task === null || person === null) return exit.usage;
  if (task.resourceType !== "postgres") {
    io.err(`the task ${task.name} is for ${task.resourceType}: this explains SQL`);
    return exit.usage;
  }
  const identity = identityOf(person);
  const refusal = startRefusal(task, identity, options);
  const decision = refusal === null ? (await policy.decider(task)).decide(options.sql) : null;
  let near: string | null = null;
  if ((decision?.effect ?? "deny") === "deny") {
    const deciders = new Map<string, StatementDecider>();
    for (const other of Object.values(policy.library.bundle.tasks)) {
      if (other.resource === task.resource && startRefusal(other, identity, options) === null) {
        deciders.set(other.name, await policy.decider(other));
      }
    }
    const wouldAllow = ({ name }: Task) => {
      const effect = deciders.get(name)?.decide(options.sql).effect;
      return effect === "allow" || effect === "hold";
    };
    near = nearestTask(policy.library.bundle, identity, task, wouldAllow)?.name ?? null;
  }
  const explanation: Explanation = {
    decision: decision?.effect ?? "deny",
    reason: refusal?.code ?? decision!.reason,
    rule: refusal?.rule ?? decision?.rule ?? null,
    rewritten: decision?.rewritten ?? null,
    relations: decision?.relations ?? [],
    masked: decision?.masked ?? [],
    message: refusal?.message ?? decision!.message,
    hint: refusal?.hint ?? decision?.hint ?? null,
    sqlstate: decision?.sqlstate ?? null,
    position: decision?.position ?? null,
    statements: decision?.statements ?? [],
    task: task.name,
    as: person.name,
    digest: task.digest,
    nearest: near,
  };
  io.out(options.json ? jsonText(explanation) : explanationText(explanation, options.sql));
  if (!options.exitCode || explanation.decision === "allow") return exit.ok;
  return explanation.decision === "deny" ? exit.denied : exit.pending;
}

function explanationText(explanation: Explanation, sql: string): string {
  const { decision, reason, message, hint, rule, position, rewritten, relations, masked, nearest } =
    explanation;
  const lines = [`${decision}  ${reason}${message ? `: ${message}` : ""}`];
  if (rule) lines.push(`rule       ${rule}`);
  if (position !== null) lines.push(...pointer(sql, position));
  if (relations.length > 0) lines.push(`relations  ${relations.join(", ")}`);
  if (masked.length > 0) lines.push(`masked     ${masked.join(", ")}`);
  if (hint) lines.push(`hint       ${hint}`);
  if (nearest) lines.push(`nearest    the task ${nearest} would allow it`);
  if (rewritten !== null) lines.push("runs as", ...rewritten.split("\n").map((line) => `  ${line}`));
  return lines.join("\n");
}

/** The line of the statement with a mark under the character, as psql shows an error. */
function pointer(sql: string, position: number): string[] {
  const characters = Array.from(sql);
  const before = characters.slice(0, position - 1).join("");
  const start = before.lastIndexOf("\n") + 1;
  const line = sql.slice(start).split("\n")[0]!;
  return [`at         ${line}`, `           ${" ".repeat(Array.from(before.slice(start)).length)}^`];
}
