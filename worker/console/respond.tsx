/** How a console route answers: a whole page, or a refusal in words. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { GrantRefusal } from "../grants/grant.ts";
import { MessagePage } from "./layout.tsx";
import type { ConsoleRoutes } from "./session.ts";

/** A whole page, with the declaration that keeps browsers in standards mode. */
export function page(
  context: Context<ConsoleRoutes>,
  node: unknown,
  status: ContentfulStatusCode = 200,
): Response | Promise<Response> {
  return context.html(`<!DOCTYPE html>${String(node)}`, status);
}

/** A page that says what was not done, why, and what next. */
export function refused(
  context: Context<ConsoleRoutes>,
  refusal: Pick<GrantRefusal, "status" | "code" | "message" | "hint">,
): Response | Promise<Response> {
  const message = `${refusal.message} (${refusal.code}). ${refusal.hint}`;
  const node = <MessagePage visitor={context.get("visitor")} title="Not done" message={message} />;
  return page(context, node, refusal.status);
}

/** A page that says that something is not there, or not this person's to see. */
export function notFound(context: Context<ConsoleRoutes>, message: string): Response | Promise<Response> {
  return page(
    context,
    <MessagePage visitor={context.get("visitor")} title="Not found" message={message} />,
    404,
  );
}
