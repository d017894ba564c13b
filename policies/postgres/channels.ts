/** LISTEN, UNLISTEN, NOTIFY and pg_notify(): the channels between sessions that a task lists. */
import type { StatementSummary } from "./decision.ts";
import { quoteText } from "./names.ts";
import type { QueryWalker } from "./query.ts";
import { constantText } from "./row-filter.ts";
import { CHANNEL_MARKER } from "./scrub.ts";
import { POOLED } from "./session-statements.ts";
import { expressionTree } from "./template.ts";
import { as, type Fields, list, location } from "./tree.ts";

type Key = "listen" | "notify";

/** LISTEN and NOTIFY. */
export function channel(walker: QueryWalker, type: string, fields: Fields): Partial<StatementSummary> {
  const key: Key = type === "ListenStmt" ? "listen" : "notify";
  const name = String(fields["conditionname"] ?? "");
  if (!walker.world.task.session[key]?.includes(name)) {
    refuseChannel(walker, key, name, null);
    return {};
  }
  return key === "listen" ? { channel: name } : {};
}

/** UNLISTEN gives up what is the session's own. */
export function unlisten(walker: QueryWalker): Partial<StatementSummary> {
  const { listen, pooled } = walker.world.task.session;
  if (!listen && !pooled)
    walker.refuse("STATEMENT_NOT_ALLOWED", "UNLISTEN is not allowed: the task listens on no channel", {
      hint: POOLED,
    });
  return {};
}

/** The refusal of a channel; `name` is null where it is not known. */
export function refuseChannel(
  walker: QueryWalker,
  key: Key,
  name: string | null,
  at: number | null,
): undefined {
  const { task } = walker.world;
  const may = key === "listen" ? "listen on" : "send to";
  const granted = task.session[key] ?? [];
  const hint =
    granted.length > 0
      ? `It may ${may} ${granted.join(", ")}.`
      : `A task lists channels under \`session.${key}\`.`;
  const message = `task ${task.name} may not ${may} ${name === null ? "a channel" : `the channel ${name}`}`;
  walker.refuse("CHANNEL_NOT_GRANTED", message, { at, hint, rule: task.refs.session });
}

/**
 * `pg_notify(channel, payload)`. A channel that is a parameter is looked at when the statement runs: another one than those
 * that the task lists raises an error, which scrub.ts puts in words.
 */
export function sendsTo(walker: QueryWalker, fields: Fields, at: number): undefined {
  const { task, parser } = walker.world;
  const granted = task.session.notify ?? [];
  walker.draws = true;
  const args = list(fields["args"]);
  const name = constantText(args[0]);
  if (args.length === 2 && name !== null) {
    if (!granted.includes(name)) refuseChannel(walker, "notify", name, at);
    return;
  }
  const parameter = as(args[0], "ParamRef");
  const start = parameter ? walker.source.index(location(parameter)) : 0;
  const written = parameter ? /^\$\d+/.exec(walker.source.text.slice(start, start + 12))?.[0] : undefined;
  if (args.length !== 2 || written !== `$${String(parameter?.["number"])}`) {
    const hint = "Write the channel as a constant, or as a parameter of its own.";
    return walker.refuse("CHANNEL_NOT_GRANTED", "pg_notify() needs the name of a channel", { at, hint });
  }
  const value = `(${written})::pg_catalog.text`;
  const listed = `ARRAY[${granted.map(quoteText).join(", ")}]::pg_catalog.text[]`;
  const failure = `(pg_catalog.concat(${quoteText(`${CHANNEL_MARKER}${granted.join(", ")}]`)})::pg_catalog.int4)::pg_catalog.text`;
  const sql = `CASE WHEN ${value} OPERATOR(pg_catalog.=) ANY (${listed}) THEN ${value} ELSE ${failure} END`;
  walker.source.replace(start, start + written.length, sql);
  walker.checkedChannels.set(fields, expressionTree(parser, sql));
}
