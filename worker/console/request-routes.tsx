/** Requests: the inbox, asking, and deciding. */
import type { Hono } from "hono";
import type { Bundle } from "../../policies/task.ts";
import { listEvents } from "../audit/store.ts";
import { askForGrant, decideOn, revokeGrant, viewGrant } from "../grants/ask.ts";
import { listGrants } from "../grants/ledger.ts";
import { durationMs } from "../grants/routes.ts";
import { RequestPage, RequestsPage } from "./request-pages.tsx";
import { notFound, page, refused } from "./respond.tsx";
import type { ConsoleRoutes } from "./session.ts";

export function requestRoutes(app: Hono<ConsoleRoutes>, bundle: Bundle): void {
  app.get("/requests", async (context) => {
    const visitor = context.get("visitor");
    const { identity } = visitor;
    const now = Date.now();
    const rows = await listGrants(context.env.DB, { asked: true, visibleTo: identity, limit: 200 }, now);
    const isMine = (row: { issuer: string; subject: string }): boolean =>
      row.issuer === identity.issuer && row.subject === identity.subject;
    const open = rows.filter((row) => row.status === "pending" || row.status === "active");
    const review = rows.filter((row) => row.emergency === "open" && !isMine(row));
    const inbox = open.filter((row) => row.status === "pending" && !isMine(row));
    const mine = open.filter(isMine);
    const past = rows.filter((row) => ![...inbox, ...review].includes(row) && !mine.includes(row));
    return page(
      context,
      <RequestsPage visitor={visitor} inbox={inbox} review={review} mine={mine} past={past} />,
    );
  });

  app.post("/requests", async (context) => {
    const { identity } = context.get("visitor");
    const form = (await context.req.parseBody()) as Record<string, string>;
    const params = Object.entries(form).filter(([name]) => name.startsWith("param."));
    const duration = form["duration"]?.trim() ?? "";
    const ms = duration === "" ? null : durationMs(duration);
    if (duration !== "" && ms === null) {
      return refused(context, {
        status: 400,
        code: "DURATION_INVALID",
        message: "The duration is not a time",
        hint: "Write 15m or 1h.",
      });
    }
    const asked = {
      ...{
        identity,
        actor: null,
        task: form["task"] ?? "",
        description: null,
        durationMs: ms,
        sessions: null,
        emergency: form["emergency"] === "yes",
      },
      params: Object.fromEntries(params.map(([name, value]) => [name.slice("param.".length), String(value)])),
      reason: form["reason"] || null,
    };
    const result = await askForGrant(context.env, bundle, asked, Date.now());
    return result.ok ? context.redirect(`/requests/${result.grant.id}`, 303) : refused(context, result);
  });

  app.get("/requests/:id", async (context) => {
    const visitor = context.get("visitor");
    const view = await viewGrant(context.env, context.req.param("id"), visitor.identity, visitor.admin);
    if (!view) {
      return notFound(context, "There is no such request, or it is not yours to see.");
    }
    const task = Object.hasOwn(bundle.tasks, view.grant.task) ? bundle.tasks[view.grant.task]! : null;
    // What is shown must be what was asked for: another version of the task is no basis for a decision.
    return page(
      context,
      <RequestPage
        visitor={visitor}
        view={view}
        task={task?.digest === view.grant.taskDigest ? task : null}
        deliveries={await listEvents(context.env.DB, { grant: view.grant.id, type: "notification.*" })}
      />,
    );
  });

  app.post("/requests/:id/:verb{approve|deny|revoke|review}", async (context) => {
    const { identity, admin } = context.get("visitor");
    const { id, verb } = context.req.param();
    const form = (await context.req.parseBody()) as Record<string, string>;
    const comment = form["comment"] || null;
    if (verb === "approve") {
      const view = await viewGrant(context.env, id, identity, admin);
      const shown = view?.grant.statement?.digest ?? view?.grant.taskDigest;
      if (shown === undefined || form["seen"] !== shown) {
        return refused(context, {
          status: 409,
          code: "APPROVAL_MISMATCH",
          message: "The request is not what you were shown",
          hint: "Open it again.",
        });
      }
    }
    const result =
      verb === "revoke"
        ? await revokeGrant(context.env, id, { identity, admin }, comment ?? "revoked")
        : await decideOn(
            context.env,
            id,
            { identity, via: null },
            verb as "approve" | "deny" | "review",
            comment,
            Date.now(),
          );
    return result.ok ? context.redirect(`/requests/${id}`, 303) : refused(context, result);
  });
}
