/**
 * The one header policy, for every transport. No header of a client says who it is or what it may do, besides
 * its bearer token; so nothing is stripped on one path and forgotten on another (attack H4): what reaches a
 * Durable Object is a request that is built here, and only these headers cross.
 */
import type { Problem } from "./identity/http.ts";

/** What a WebSocket handshake needs; everything else stays outside. */
const HANDSHAKE = [
  "upgrade",
  "connection",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
] as const;

/** Headers that this edge gives meaning to on the way to its own objects. Never copied from a client. */
export const CONNECTOR_HEADER = "wicket-connector";
export const TICKET_HEADER = "wicket-ticket";

/** True for a WebSocket handshake. */
export function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Subprotocols that a client offers, in its order. */
export function offeredProtocols(request: Request): string[] {
  const header = request.headers.get("sec-websocket-protocol");
  return header === null ? [] : header.split(",").map((name) => name.trim());
}

/** The handshake for a Durable Object: the client's own, without anything that it could have forged. */
export function handshake(request: Request, path: string, facts: Record<string, string>): Request {
  const headers = new Headers();
  for (const name of HANDSHAKE) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  for (const [name, value] of Object.entries(facts)) headers.set(name, value);
  return new Request(`https://object.invalid${path}`, { headers });
}

/** Where a client came from, for the audit log. Only what Cloudflare itself sets is used. */
export function clientOf(request: Request): { ip?: string; userAgent?: string } {
  const ip = request.headers.get("cf-connecting-ip");
  const agent = request.headers.get("user-agent")?.slice(0, 256);
  return { ...(ip ? { ip } : {}), ...(agent ? { userAgent: agent } : {}) };
}

/**
 * Refuses a browser's cross-site WebSocket (attack H1): browsers cannot be stopped from sending one, and they
 * always name their origin. Programs send no Origin.
 */
export function foreignOrigin(request: Request, edgeOrigin: string): Problem | null {
  const origin = request.headers.get("origin");
  if (origin === null || origin === edgeOrigin) return null;
  return {
    status: 403,
    code: "ORIGIN_FOREIGN",
    message: "a page of another site may not open a connection here",
    hint: "Use the wicket command, or a program that sends no Origin header.",
  };
}

/**
 * Refuses a path that two readers could understand differently (attack H3): encoded dots, slashes,
 * backslashes and controls, empty segments, dot segments, parameters.
 */
export function ambiguousPath(url: string): Problem | null {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const path = start < 0 ? "/" : url.slice(start).split(/[?#]/, 1)[0]!;
  const odd =
    /%(?![0-9a-f]{2})|%(2e|2f|5c|25|3b|[01][0-9a-f]|7f|[89a-f][0-9a-f])|\/\/|[\\;]|\/\.{1,2}(\/|$)/i.test(
      path,
    ) || URL.parse(url)?.pathname !== path;
  if (!odd) return null;
  return { status: 400, code: "PATH_AMBIGUOUS", message: "the path can be read in two ways", hint: "" };
}

/**
 * Headers of every answer that is not an upgrade: nothing is cached, sniffed or framed unless a room said
 * otherwise. A 101 is left as it is, or the socket would be lost.
 */
export function shieldAnswer(response: Response, edgeOrigin: string): Response {
  if (response.status === 101) return response;
  const answer = new Response(response.body, response);
  const { headers } = answer;
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  if (!headers.has("content-security-policy")) {
    headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  }
  headers.set("x-content-type-options", "nosniff");
  if (!headers.has("referrer-policy")) headers.set("referrer-policy", "no-referrer");
  if (edgeOrigin.startsWith("https:")) headers.set("strict-transport-security", "max-age=31536000");
  return answer;
}
