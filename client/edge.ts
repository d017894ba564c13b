/** Which edge, with which token; and requests to it, whose refusals become errors of the command line. */
import { readFileSync } from "node:fs";
import { Option } from "commander";
import { decodeJwt } from "jose";
import { CommandError, type ExitCode, exit, fail } from "./exit.ts";
import { currentEdge, findLogin, keepLogin, type Login, withLoginLock } from "./login-store.ts";
import { PROGRAM } from "./program.ts";

/** Where `wicket dev` listens unless told otherwise. */
export const DEV_EDGE = "http://127.0.0.1:8787";

export interface EdgeOptions {
  readonly edge?: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** `--edge` and `--token`, for every command that speaks to the edge. */
export const edgeOption = (): Option =>
  new Option("--edge <url>", "the edge; default: the one of the last login").env("WICKET_EDGE");
export const tokenOption = (): Option =>
  new Option("--token <file>", "a file with a token, instead of the login").env("WICKET_TOKEN_FILE");
export const jsonOption = (): Option => new Option("--json", "JSON on stdout").default(false);

/** An edge and how to prove to it who is asking. */
export interface Edge {
  readonly origin: string;
  /** The bearer token, read anew each time: a file may be renewed meanwhile, and so is a login. */
  token(): string | Promise<string>;
}

/** Checks an edge's URL: https, or http on loopback. Returns its origin. */
export function edgeOrigin(text: string): string {
  const url = URL.parse(text.includes("://") ? text : `https://${text}`);
  const loopback = url !== null && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  if (!url || !(url.protocol === "https:" || (url.protocol === "http:" && loopback)) || url.username) {
    throw fail(
      exit.usage,
      "EDGE_INVALID",
      `${text} is not the address of an edge`,
      "Give an https URL (http only on this machine): --edge https://edge.example.com",
    );
  }
  return url.origin;
}

/** The edge that is meant: `--edge`, the last login, or `wicket dev` on this machine. */
export function chosenEdge(options: EdgeOptions): string {
  return edgeOrigin(options.edge ?? currentEdge() ?? DEV_EDGE);
}

/** The edge and the token that are meant. Throws `LOGIN_REQUIRED`. */
export function openEdge(options: EdgeOptions): Edge {
  const origin = chosenEdge(options);
  const path = options.token;
  if (path !== undefined) return { origin, token: () => tokenOf(path) };
  const login = findLogin(origin);
  if (!login) throw loginRequired(origin, "you are not logged in");
  if (isOver(login, 0) && login.refresh === undefined) throw loginRequired(origin, "your login has expired");
  return { origin, token: () => loginToken(origin, login) };
}

/** A token that has less time left is renewed before it is used, milliseconds. */
const RENEW_MS = 60_000;

function isOver({ expires }: Login, early: number): boolean {
  return expires !== null && expires - early <= Date.now();
}

/**
 * The token of the login that is kept, renewed when it is about to end. Who logs in as somebody else meanwhile does
 * not change who a running command is.
 */
async function loginToken(origin: string, begun: Login): Promise<string> {
  const kept = (): Login => {
    const login = findLogin(origin);
    if (!login) throw loginRequired(origin, "you are not logged in");
    return login;
  };
  const found = kept();
  const login = found.name === begun.name ? found : begun;
  if (!isOver(login, RENEW_MS)) return login.token;
  if (login.refresh === undefined) {
    if (isOver(login, 0)) throw loginRequired(origin, "your login has expired");
    return login.token;
  }
  const { refreshLogin } = await import("./oauth.ts");
  return withLoginLock(async () => {
    const now = kept();
    if (now.name !== begun.name) throw loginRequired(origin, `somebody else logged in (${now.name})`);
    if (!isOver(now, RENEW_MS) || now.refresh === undefined) return now.token;
    const tokens = await refreshLogin(origin, now.refresh);
    if (!tokens) throw loginRequired(origin, "your login has ended");
    keepLogin(origin, loginFrom(tokens, now.name), false);
    return tokens.token;
  });
}

/** A login as it is kept. */
export function loginFrom(
  tokens: { readonly token: string; readonly refresh: string | null },
  name: string,
): Login {
  const { exp } = decodeJwt(tokens.token);
  const { token, refresh } = tokens;
  return {
    ...{ token, name, expires: exp === undefined ? null : exp * 1000 },
    ...(refresh === null ? {} : { refresh }),
  };
}

function tokenOf(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fail(exit.usage, "TOKEN_FILE", `the token file ${path} cannot be read (${code})`);
  }
  if (!/^[\x21-\x7e]{1,16384}$/.test(token)) {
    throw fail(exit.usage, "TOKEN_FILE", `the file ${path} does not hold one token`);
  }
  return token;
}

function loginRequired(origin: string, message: string): CommandError {
  const at = origin === DEV_EDGE ? "" : ` --edge ${origin}`;
  const next = isLoopback(origin) ? `${PROGRAM} login --as NAME${at}` : `${PROGRAM} login${at}`;
  return fail(exit.login, "LOGIN_REQUIRED", message, next);
}

function isLoopback(origin: string): boolean {
  return /^http:/.test(origin);
}

/** A refusal of the edge (problem document) as an error of the command line. */
export function refusalOf(status: number, body: unknown, origin: string): CommandError {
  const problem = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const text = (name: string): string | undefined =>
    typeof problem[name] === "string" && problem[name] !== "" ? (problem[name] as string) : undefined;
  const code = text("code") ?? `HTTP_${status}`;
  const message = text("message") ?? `the edge answered ${status}`;
  if (status === 401) {
    const { fault } = loginRequired(origin, message);
    return new CommandError({ ...fault, code, message });
  }
  return new CommandError({
    ...{ exit: exitFor(status, code), code, message: `refused: ${message}` },
    ...{ rule: text("rule"), next: text("hint"), request: text("request") },
  });
}

function exitFor(status: number, code: string): ExitCode {
  if (/^(APPROVAL_(REQUIRED|PENDING)|GRANT_EXPIRED)$/.test(code)) return exit.pending;
  if (status === 403 || status === 409) return exit.denied;
  if (status >= 500) return exit.unreachable;
  return status === 400 || status === 404 ? exit.usage : exit.failure;
}

export function unreachable(origin: string, error: unknown): CommandError {
  const { cause, code } = error as { cause?: { code?: string; message?: string }; code?: string };
  const why = code ?? cause?.code ?? cause?.message ?? (error instanceof Error ? error.name : "");
  const next = isLoopback(origin) ? "Is it running? npm start" : "Is the address right? See --edge.";
  return fail(exit.unreachable, "EDGE_UNREACHABLE", `the edge ${origin} cannot be reached (${why})`, next);
}

/** One request; the JSON of a 2xx answer. Everything else is thrown. */
export async function call<Answer>(
  edge: Edge,
  path: string,
  request: { readonly method?: string; readonly body?: unknown } = {},
): Promise<Answer> {
  const { method = "GET", body } = request;
  const headers: Record<string, string> = {
    accept: "application/json",
    authorization: `Bearer ${await edge.token()}`,
  };
  if (body !== undefined) headers["content-type"] = "application/json";
  let response: Response;
  let answer: unknown;
  try {
    response = await fetch(edge.origin + path, {
      ...{ method, headers, redirect: "error", signal: AbortSignal.timeout(30_000) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    answer = await response.json().catch(() => null);
  } catch (error) {
    throw unreachable(edge.origin, error);
  }
  if (!response.ok) throw refusalOf(response.status, answer, edge.origin);
  return answer as Answer;
}

/** The bytes of an answer. */
export async function fetchBytes(edge: Edge, path: string, limit: number): Promise<Uint8Array> {
  let response: Response;
  let bytes: Uint8Array;
  try {
    response = await fetch(edge.origin + path, {
      headers: { authorization: `Bearer ${await edge.token()}` },
      redirect: "error",
      signal: AbortSignal.timeout(60_000),
    });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw unreachable(edge.origin, error);
  }
  if (!response.ok) {
    let body: unknown = null;
    try {
      body = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    } catch {
      // Not a problem document.
    }
    throw refusalOf(response.status, body, edge.origin);
  }
  if (bytes.length > limit)
    throw fail(exit.failure, "ANSWER_TOO_LARGE", `the answer to ${path} is too large`);
  return bytes;
}

/** What an edge says of itself to anybody. */
export interface EdgeFacts {
  readonly name: string;
  readonly version: string;
  readonly demo_login?: string;
  /** Where the edge is reached by https under an authority of its own (`wicket dev`). */
  readonly https?: { readonly origin: string; readonly authority: string };
}

/** `/.well-known/wicketgate`. Throws when nothing answers, or something else. */
export async function edgeFacts(origin: string): Promise<EdgeFacts> {
  let facts: Partial<EdgeFacts> | null;
  try {
    const response = await fetch(`${origin}/.well-known/wicketgate`, { signal: AbortSignal.timeout(10_000) });
    facts = (await response.json()) as Partial<EdgeFacts>;
  } catch (error) {
    if (error instanceof SyntaxError) facts = null;
    else throw unreachable(origin, error);
  }
  if (facts?.name !== "wicketgate") throw fail(exit.unreachable, "NOT_AN_EDGE", `${origin} is not an edge`);
  return facts as EdgeFacts;
}
