/**
 * Login at the edge, which asks the identity provider: with a browser on this machine (authorization code, PKCE and
 * a loopback address: RFC 8252, RFC 7636), or with a code that is confirmed in a browser anywhere (RFC 8628).
 */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { unreachable } from "./edge.ts";
import { CommandError, exit, fail } from "./exit.ts";
import { PROGRAM } from "./program.ts";
import { inert } from "./recording/inert.ts";
import { say } from "./terminal.ts";

const CLIENT_ID = "wicket";
/** A person who has not confirmed by then is not waited for, milliseconds. */
const BROWSER_MS = 10 * 60_000;

/** What a login is worth. */
export interface Tokens {
  readonly token: string;
  /** Good for one new pair of tokens; null when the edge gave none. */
  readonly refresh: string | null;
}

interface Answer {
  readonly device_code?: string;
  readonly user_code?: string;
  readonly verification_uri?: string;
  readonly verification_uri_complete?: string;
  readonly interval?: number;
  readonly access_token?: string;
  readonly refresh_token?: string;
  readonly error?: string;
  readonly error_description?: string;
  /** Seconds. */
  readonly expires_in?: number;
  readonly code?: string;
  readonly hint?: string;
  readonly rule?: string;
  readonly request?: string;
}

/** Asks for a code, tells the person where to confirm it, and waits. */
export async function deviceLogin(origin: string): Promise<Tokens> {
  const begun = await post(origin, "/oauth2/device_authorization", { client_id: CLIENT_ID });
  const { device_code: device, user_code: code, verification_uri: uri } = begun;
  if (!device || !code || !uri) {
    throw fail(exit.failure, "LOGIN_FAILED", begun.error_description ?? "the edge gave no code to confirm");
  }
  say(`Open ${inert(begun.verification_uri_complete ?? uri)}`);
  say(`and confirm the code ${inert(code)}`);
  let seconds = begun.interval ?? 5;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const answer = await post(origin, "/oauth2/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      ...{ device_code: device, client_id: CLIENT_ID },
    });
    const tokens = tokensOf(answer);
    if (tokens) return tokens;
    if (answer.error === "slow_down") seconds += 5;
    else if (answer.error !== "authorization_pending") throw refused(answer);
  }
}

/** Opens the browser of this machine and takes its answer on a loopback port. */
export async function browserLogin(origin: string): Promise<Tokens> {
  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(16).toString("base64url");
  const answer = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? "", "http://127.0.0.1");
    // Anything on this machine can call the port: only the answer to this login counts.
    if (
      request.method !== "GET" ||
      url?.pathname !== "/callback" ||
      url.searchParams.get("state") !== state
    ) {
      page(response, 404, "There is nothing here.");
      return;
    }
    page(response, 200, "wicket has its answer. You can close this window.");
    answer.resolve(url.searchParams);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const redirect = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const url = new URL(`${origin}/oauth2/authorize`);
  for (const [name, value] of Object.entries({
    ...{ response_type: "code", client_id: CLIENT_ID, redirect_uri: redirect, state },
    ...{ code_challenge: createHash("sha256").update(verifier).digest("base64url") },
    ...{ code_challenge_method: "S256" },
  })) {
    url.searchParams.set(name, value);
  }
  say(`Open ${url.href}`);
  openBrowser(url.href);
  const timer = setTimeout(
    () => answer.reject(fail(exit.login, "LOGIN_TIMEOUT", "nobody confirmed the login", `${PROGRAM} login`)),
    BROWSER_MS,
  );
  try {
    const given = await answer.promise;
    // RFC 9207: the edge that was asked, and no other, answers.
    if (given.get("iss") !== origin) throw fail(exit.login, "LOGIN_MIX_UP", "another server answered");
    const code = given.get("code");
    if (code === null) throw refused({ error: given.get("error") ?? "access_denied" });
    const redeemed = await post(origin, "/oauth2/token", {
      ...{ grant_type: "authorization_code", client_id: CLIENT_ID, redirect_uri: redirect },
      ...{ code, code_verifier: verifier },
    });
    const tokens = tokensOf(redeemed);
    if (!tokens) throw refused(redeemed);
    return tokens;
  } finally {
    clearTimeout(timer);
    server.close();
    server.closeIdleConnections();
  }
}

/** New tokens for a refresh token, which is used up by it. Null when the login has ended. */
export async function refreshLogin(origin: string, refresh: string): Promise<Tokens | null> {
  const answer = await post(origin, "/oauth2/token", {
    ...{ grant_type: "refresh_token", client_id: CLIENT_ID, refresh_token: refresh },
  });
  const tokens = tokensOf(answer);
  if (tokens || answer.error === "invalid_grant") return tokens;
  throw fail(
    exit.unreachable,
    "LOGIN_UNAVAILABLE",
    answer.error_description ?? "the login cannot be renewed",
  );
}

/** Ends the login at the edge (RFC 7009). */
export async function revokeLogin(origin: string, token: string): Promise<void> {
  await post(origin, "/oauth2/revoke", { client_id: CLIENT_ID, token });
}

/** True where a browser can be opened: not over SSH, and on Linux only with a display. */
export function hasBrowser(): boolean {
  const { DISPLAY, WAYLAND_DISPLAY, SSH_CONNECTION, SSH_TTY } = process.env;
  if (SSH_CONNECTION || SSH_TTY) return false;
  return process.platform !== "linux" || Boolean(DISPLAY || WAYLAND_DISPLAY);
}

/** Asks the desktop to show a page. Whether it does cannot be known: the address was printed too. */
function openBrowser(url: string): void {
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open"]
      : process.platform === "win32"
        ? ["rundll32", "url.dll,FileProtocolHandler"]
        : ["xdg-open"];
  if (!hasBrowser()) return;
  const child = spawn(program!, [...args, url], { stdio: "ignore", detached: true });
  child.on("error", () => {});
  child.unref();
}

function page(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    ...{ "content-type": "text/plain; charset=utf-8", "cache-control": "no-store", connection: "close" },
    "content-security-policy": "default-src 'none'",
  });
  response.end(`${text}\n`);
}

function tokensOf({ access_token: token, refresh_token: refresh }: Answer): Tokens | null {
  return token ? { token, refresh: refresh ?? null } : null;
}

function refused(answer: Answer): CommandError {
  const message = answer.error_description ?? answer.error ?? "the login failed";
  const code = answer.error ?? "";
  const known = /^[a-z_]{1,64}$/.test(code) ? code.toUpperCase() : "LOGIN_FAILED";
  return fail(
    exit.login,
    known,
    message === "access_denied" ? "the login was refused" : message,
    `${PROGRAM} login`,
  );
}

/** A token for a grant, or why there is none; `pending` = the request that waits for approval. */
export type Exchanged =
  | {
      readonly ok: true;
      readonly token: string /** Milliseconds since the epoch. */;
      readonly expires: number;
    }
  | { readonly ok: false; readonly pending: string | null; readonly fault: CommandError };

/** Exchanges a login's token for one of a task's grant (RFC 8693, RFC 9396). */
export async function exchangeFor(origin: string, token: string, task: object): Promise<Exchanged> {
  const asked = Date.now();
  const answer = await post(origin, "/oauth2/token", {
    ...{ grant_type: "urn:ietf:params:oauth:grant-type:token-exchange", client_id: CLIENT_ID },
    ...{ subject_token: token, subject_token_type: "urn:ietf:params:oauth:token-type:jwt" },
    authorization_details: JSON.stringify([task]),
  });
  if (answer.access_token) {
    return { ok: true, token: answer.access_token, expires: asked + (answer.expires_in ?? 0) * 1000 };
  }
  const {
    error = "",
    error_description: message = "the edge gave no token",
    code,
    rule,
    hint,
    request,
  } = answer;
  const pending = error === "interaction_required" && request ? request : null;
  const ends = error === "invalid_grant" ? exit.login : error === "access_denied" ? exit.denied : exit.usage;
  const fault = new CommandError({
    ...{ exit: pending === null ? ends : exit.pending, code: code ?? error.toUpperCase(), message },
    ...{ rule, next: hint, request },
  });
  return { ok: false, pending, fault };
}

async function post(origin: string, path: string, form: Readonly<Record<string, string>>): Promise<Answer> {
  try {
    const response = await fetch(origin + path, {
      ...{ method: "POST", redirect: "error", signal: AbortSignal.timeout(30_000) },
      body: new URLSearchParams(form),
    });
    return (await response.json()) as Answer;
  } catch (error) {
    throw unreachable(origin, error);
  }
}
