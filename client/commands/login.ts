/** `wicket login`, `logout` and `whoami`. */
import { Command, Option } from "commander";
import {
  call,
  chosenEdge,
  DEV_EDGE,
  type EdgeOptions,
  edgeFacts,
  edgeOption,
  edgeOrigin,
  jsonOption,
  loginFrom,
  openEdge,
  tokenOption,
} from "../edge.ts";
import { exit, fail } from "../exit.ts";
import { currentEdge, dropLogin, findLogin, keepLogin } from "../login-store.ts";
import { browserLogin, deviceLogin, hasBrowser, revokeLogin, type Tokens } from "../oauth.ts";
import { PROGRAM } from "../program.ts";
import { out, outJson, perform, say } from "../terminal.ts";

interface LoginOptions extends EdgeOptions {
  readonly as?: string;
  readonly browser?: boolean;
  readonly device?: boolean;
}

/** What `/api/whoami` says. */
interface Whoami {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly expires: number;
  readonly admin: boolean;
}

export function loginCommands(): Command[] {
  const login = new Command("login")
    .description("Log in at the identity provider: in the browser, with a code, or as a person of the demo")
    .option("--as <name>", "a person of `wicket dev`; needs no browser")
    .addOption(new Option("--browser", "use the browser of this machine").conflicts(["device", "as"]))
    .addOption(new Option("--device", "show a code to confirm in a browser anywhere").conflicts("as"))
    .addOption(edgeOption())
    .addOption(jsonOption())
    .action((options: LoginOptions) => perform(options.json ?? false, () => logIn(options)));
  const logout = new Command("logout")
    .description("Forget the login")
    .addOption(edgeOption())
    .action((options: EdgeOptions) =>
      perform(false, async () => {
        const origin = chosenEdge(options);
        const { refresh } = findLogin(origin) ?? {};
        // Forgotten here in any case; an edge that cannot be reached ends it by time.
        if (refresh !== undefined) await revokeLogin(origin, refresh).catch(() => undefined);
        say(dropLogin(origin) ? `Logged out of ${origin}.` : `You were not logged in to ${origin}.`);
        return exit.ok;
      }),
    );
  const whoami = new Command("whoami")
    .description("Say who you are to the edge")
    .addOption(edgeOption())
    .addOption(tokenOption())
    .addOption(jsonOption())
    .action((options: EdgeOptions) => perform(options.json ?? false, () => sayWho(options)));
  return [login, logout, whoami];
}

async function logIn(options: LoginOptions): Promise<number> {
  const origin = await loginEdge(options);
  const facts = await edgeFacts(origin);
  const tokens = await tokensFor(origin, facts.demo_login, options);
  const who = await call<Whoami>({ origin, token: () => tokens.token }, "/api/whoami");
  const name = who.name ?? who.subject;
  keepLogin(origin, loginFrom(tokens, name));
  if (options.json) outJson({ status: "ok", edge: origin, name, groups: who.groups, expires: who.expires });
  else
    say(`You are ${name} (${who.groups.join(", ") || "in no group"}) at ${origin}. Next: ${PROGRAM} tasks`);
  return exit.ok;
}

async function tokensFor(
  origin: string,
  demo: string | undefined,
  { as, browser, device }: LoginOptions,
): Promise<Tokens> {
  if (as !== undefined) return { token: await demoLogin(origin, demo, as), refresh: null };
  return (browser ?? (!device && hasBrowser())) ? browserLogin(origin) : deviceLogin(origin);
}

/** Without `--edge`: the system that runs on this machine, when it is a demo login; else the last edge. */
async function loginEdge(options: LoginOptions): Promise<string> {
  if (options.edge !== undefined) return edgeOrigin(options.edge);
  if (options.as === undefined) return edgeOrigin(currentEdge() ?? DEV_EDGE);
  for (const origin of [DEV_EDGE, currentEdge()]) {
    if (origin && (await edgeFacts(origin).catch(() => null))?.demo_login) return origin;
  }
  return DEV_EDGE;
}

/** A token of `wicket dev`, which says where it hands them out; only ever on this machine. */
async function demoLogin(origin: string, url: string | undefined, name: string): Promise<string> {
  if (url === undefined) {
    throw fail(
      exit.usage,
      "NO_DEMO_LOGIN",
      `${origin} is no demo and has no demo people`,
      `${PROGRAM} login`,
    );
  }
  const { hostname, protocol } = new URL(url);
  if (protocol !== "http:" || !/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)) {
    throw fail(exit.failure, "DEMO_LOGIN_ELSEWHERE", "the demo login of this edge is not on this machine");
  }
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name }),
    redirect: "error",
  });
  const answer = (await response.json().catch(() => ({}))) as { id_token?: string; people?: string[] };
  if (response.ok && answer.id_token) return answer.id_token;
  const people = answer.people?.join(", ") ?? "";
  throw fail(exit.usage, "PERSON_UNKNOWN", `the demo has no person ${name}`, people && `It has: ${people}`);
}

async function sayWho(options: EdgeOptions): Promise<number> {
  const edge = openEdge(options);
  const who = await call<Whoami>(edge, "/api/whoami");
  if (options.json) outJson({ ...who, edge: edge.origin });
  else {
    const until = new Date(who.expires).toLocaleString();
    out(`${who.name ?? who.subject}${who.admin ? " (administrator)" : ""}`);
    out(`groups   ${who.groups.join(", ") || "none"}`);
    out(`edge     ${edge.origin}`);
    out(`issuer   ${who.issuer}`);
    out(`until    ${until}`);
    const kept = options.token === undefined ? findLogin(edge.origin) : null;
    if (kept === null && options.token === undefined) say("This login is not kept on this machine.");
  }
  return exit.ok;
}
