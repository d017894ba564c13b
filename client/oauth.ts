/** Login by device code (RFC 8628): works wherever there is a browser somewhere. */
import { unreachable } from "./edge.ts";
import { exit, fail } from "./exit.ts";
import { say } from "./terminal.ts";

const CLIENT_ID = "wicket";

interface Answer {
  readonly device_code?: string;
  readonly user_code?: string;
  readonly verification_uri?: string;
  readonly verification_uri_complete?: string;
  readonly interval?: number;
  readonly access_token?: string;
  readonly error?: string;
  readonly error_description?: string;
}

/** Asks for a code, tells the person where to confirm it, and waits. Returns the edge's token. */
export async function deviceLogin(origin: string): Promise<string> {
  const begun = await post(origin, "/oauth2/device_authorization", { client_id: CLIENT_ID });
  const { device_code: device, user_code: code, verification_uri: uri } = begun;
  if (!device || !code || !uri) {
    throw fail(exit.failure, "LOGIN_FAILED", begun.error_description ?? "the edge gave no code to confirm");
  }
  say(`Open ${begun.verification_uri_complete ?? uri}`);
  say(`and confirm the code ${code}`);
  let seconds = begun.interval ?? 5;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const answer = await post(origin, "/oauth2/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      ...{ device_code: device, client_id: CLIENT_ID },
    });
    if (answer.access_token) return answer.access_token;
    if (answer.error === "slow_down") seconds += 5;
    else if (answer.error !== "authorization_pending") {
      const message = answer.error_description ?? answer.error ?? "the login failed";
      throw fail(exit.login, (answer.error ?? "LOGIN_FAILED").toUpperCase(), message, "wicket login");
    }
  }
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
