/** OAuth answers and errors (RFC 6749, section 5), never cached. */

/** Error words of the specifications that are used here. */
export type OAuthErrorCode =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "invalid_target"
  | "invalid_authorization_details"
  | "unsupported_grant_type"
  | "access_denied"
  | "authorization_pending"
  | "slow_down"
  | "expired_token"
  | "interaction_required"
  | "temporarily_unavailable";

export function oauthError(
  error: OAuthErrorCode,
  description: string,
  extra: Readonly<Record<string, unknown>> = {},
): Response {
  const status = error === "temporarily_unavailable" ? 503 : error === "invalid_client" ? 401 : 400;
  // RFC 6749, section 5.2: printable ASCII without `"` and `\`.
  const safe = description.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "?");
  return Response.json({ error, error_description: safe, ...extra }, { status, headers: NO_STORE });
}

export const NO_STORE = { "cache-control": "no-store", pragma: "no-cache" };

export function oauthAnswer(body: Readonly<Record<string, unknown>>): Response {
  return Response.json(body, { headers: NO_STORE });
}

/** Parameters of a form post; null when it is none, is too long, or repeats a parameter (RFC 6749, 3.2). */
export async function formParameters(
  request: Request,
  read: (request: Request, max: number) => Promise<string | null>,
  max = 96 * 1024,
): Promise<URLSearchParams | null> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return null;
  const text = await read(request, max).catch(() => null);
  if (text === null) return null;
  const parameters = new URLSearchParams(text);
  const names = [...parameters.keys()].filter((name) => name !== "resource" && name !== "audience");
  return new Set(names).size === names.length ? parameters : null;
}

/** Clients are public programs; there is one, `wicket`, and it may be left out where nothing depends on it. */
export const CLIENT_ID = "wicket";

/** True for a redirect URI of a native program (RFC 8252, section 7.3): loopback literal, any port. */
export function isLoopbackRedirect(text: string): boolean {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" || url.username || url.password || url.hash || url.search) return false;
  return (url.hostname === "127.0.0.1" || url.hostname === "[::1]") && url.pathname === "/callback";
}
