/**
 * The session object of the doors with real grants and audit in workerd, for tests: who asks comes in a header, and
 * one connector takes dials on `/hub`. The deployed Worker has the same classes behind its own routes.
 */
import { DurableObject } from "cloudflare:workers";
import type { Identity, Task } from "../../policies/task.ts";
import { enterSession } from "../../worker/gateway/request-door.ts";
import { RequestSession } from "../../worker/gateway/request-session.ts";
import { askFor } from "../../worker/grants/frozen-ask.ts";
import type { GrantResult } from "../../worker/grants/grant.ts";
import { GrantObject } from "../../worker/grants/object.ts";
import { grantOwner, openGrant } from "../../worker/grants/open.ts";
import { slotOf } from "../../worker/grants/slot.ts";
import { personOf, rememberPerson } from "../../worker/identity/people.ts";
import { readChannel, requestObjectName } from "../../worker/sessions/names.ts";

interface Env {
  DB: D1Database;
  GRANTS: DurableObjectNamespace<GrantObject>;
  SESSIONS: DurableObjectNamespace<EdgeSession>;
  HUB: DurableObjectNamespace<Hub>;
  TASKS: Record<string, Task>;
}

export { GrantObject };

/** The connector's one control socket. */
export class Hub extends DurableObject<Env> {
  #socket: WebSocket | null = null;

  override async fetch(): Promise<Response> {
    const pair = new WebSocketPair();
    pair[1].accept();
    this.#socket = pair[1];
    pair[1].addEventListener("close", () => {
      this.#socket = null;
    });
    return new Response(null, { status: 101, webSocket: pair[0] });
  }

  async ask(message: object): Promise<boolean> {
    this.#socket?.send(JSON.stringify(message));
    return this.#socket !== null;
  }
}

export class EdgeSession extends RequestSession<Env> {
  protected taskOf(name: string): Task | null {
    return this.env.TASKS[name] ?? null;
  }

  protected async dial(channel: string, ticket: string) {
    const asked = await this.env.HUB.getByName("hub").ask({ url: `/connector/sessions/${channel}`, ticket });
    return asked
      ? ({ ok: true } as const)
      : ({ ok: false, code: "CONNECTOR_OFFLINE", message: "the connector is not there" } as const);
  }
}

function identity(name: string, groups: string[]): Identity {
  return {
    issuer: "https://issuer.test",
    subject: name,
    name,
    groups,
    claims: {},
    expires: Date.now() + 3_600_000,
  };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname === "/hub") return env.HUB.getByName("hub").fetch(request);
    const channel = /^\/connector\/sessions\/(.+)$/.exec(url.pathname)?.[1];
    if (channel !== undefined) {
      const session = readChannel(channel)?.session ?? "rq-x-0";
      return env.SESSIONS.get(env.SESSIONS.idFromName(requestObjectName(session))).fetch(request);
    }
    // An approver is someone whom the edge knows and who still is one.
    await rememberPerson(env.DB, identity("lee", ["leads"]), Date.now());
    const lee = { person: personOf(identity("lee", ["leads"])), via: null };
    const [, room, name, action] = url.pathname.split("/") as [string, string, string, string?];
    const task = env.TASKS[name];
    if (room === "grants") {
      // /grants/<id>/approve, deny or revoke, by lee.
      const owner = grantOwner(env, name)!;
      if (action === "revoke")
        return Response.json(await owner.revoke(name, null, "GRANT_REVOKED", "lee took it back"));
      return Response.json(await owner.decide(name, lee, action as "approve" | "deny", "no"));
    }
    if (room === "events") {
      const rows = await env.DB.prepare("SELECT * FROM events ORDER BY id").all();
      return Response.json(rows.results);
    }
    if (room === "pending") {
      const rows = await env.DB.prepare(
        "SELECT id FROM grants WHERE status = 'pending' AND kind = 'statement'",
      ).all();
      return Response.json(rows.results);
    }
    const tina = identity("tina", ["support"]);
    if (task === undefined || request.headers.get("authorization") !== "Bearer tina") {
      return Response.json(
        { kind: "Status", apiVersion: "v1", status: "Failure", code: 401, reason: "Unauthorized" },
        { status: 401 },
      );
    }
    let grant: { id: string; expires: number };
    if (task.approval === null) {
      const opened = await openGrant(env, {
        identity: tina,
        task,
        params: {},
        reason: null,
        now: Date.now(),
      });
      if (!opened.ok) return Response.json(opened, { status: opened.status });
      grant = opened.grant;
    } else {
      const asked = askFor(task, {
        kind: "request",
        requester: personOf(tina),
        actor: null,
        params: {},
        reason: null,
        description: null,
        durationMs: null,
        sessions: null,
      });
      if (!asked.ok) return Response.json(asked, { status: 403 });
      const slot = await slotOf(asked.ask);
      const owner = env.GRANTS.get(env.GRANTS.idFromName(slot));
      const made = (await owner.request(slot, asked.ask, true)) as GrantResult;
      if (!made.ok) return Response.json(made, { status: 403 });
      if (made.grant.status === "pending") await owner.decide(made.grant.id, lee, "approve", null);
      grant = (await owner.get(made.grant.id))!;
    }
    const path = url.pathname.slice(`/${room}/${name}`.length) || "/";
    const doorEnv = { REQUESTS: env.SESSIONS, EDGE_ORIGIN: url.origin } as never;
    return await enterSession(request, doorEnv, {
      identity: tina,
      task,
      params: {},
      reason: null,
      grant,
      path,
      now: Date.now(),
    });
  },
};
