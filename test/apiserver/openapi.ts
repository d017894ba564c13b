/** The stand-in's OpenAPI v3 documents: recorded ones of a real API server where they are there, else made ones. */
import { existsSync, readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { groupVersion, kinds, openApi } from "./kinds.ts";
import { send, sendStatus } from "./replies.ts";

const fixtures = join(
  process.env["WICKET_FIXTURES"] ?? join(import.meta.dirname, "../../../shared/fixtures"),
  "kubernetes/openapi-v3",
);

/** Serves `/openapi/v3` and below. */
export function serveOpenApi(path: string, response: ServerResponse): void {
  const versions = [...new Set(kinds.map(groupVersion))];
  const pathOf = (gv: string) => (gv.includes("/") ? `apis/${gv}` : `api/${gv}`);
  if (path === "/openapi/v3") {
    const paths = Object.fromEntries(
      versions.map((gv) => [pathOf(gv), { serverRelativeURL: `/openapi/v3/${pathOf(gv)}?hash=1` }]),
    );
    send(response, 200, { paths });
    return;
  }
  const gv = versions.find((found) => path === `/openapi/v3/${pathOf(found)}`);
  if (gv === undefined) {
    sendStatus(response, 404, "not found");
    return;
  }
  const file = join(fixtures, `${pathOf(gv).replaceAll("/", "__")}_openapi.json`);
  if (!existsSync(file)) {
    send(response, 200, openApi(gv));
    return;
  }
  response.writeHead(200, { "content-type": "application/json" }).end(readFileSync(file));
}
