/** What to do about a refusal of the HTTP door, where the decision itself does not say. */

const hints: Readonly<Record<string, string>> = {
  UPGRADE_NOT_SERVED: "send a plain request: answers that go on (text/event-stream, NDJSON) are served",
  ODD_PATH: "write the path without empty, dot or encoded segments: it is taken as it stands or not at all",
  ODD_QUERY: "give each parameter once, as name=value",
  MEDIA_TYPE: "send the body as application/json, text/plain or application/octet-stream",
  BODY_TOO_LARGE: "send at most 8 MiB, and nothing with GET or HEAD",
  ANSWER_NOT_JSON: "ask for what the target has as JSON, or ask the task's owner for a rule without masks",
  ANSWER_ENCODED: "the target has to answer without compression when it is asked to",
  ANSWER_MALFORMED: "the target's JSON is broken: tell whoever runs it",
  ANSWER_TOO_LARGE: "ask for less at once",
  TARGET_REDIRECT: "ask for the place itself, if the task grants it: redirects are never followed",
  TARGET_UPGRADE: "the target changed the protocol of a plain request: tell whoever runs it",
  TARGET_UNREACHABLE: "try again; whoever runs the connector sees why in its log",
  TARGET_TLS: "the target's certificate is not trusted by the connector: tell whoever runs it",
  CONNECTOR_OFFLINE: "try again; administrators see the connector in the console",
  CONNECTOR_LOST: "try again: the connector went away while it asked",
  DIAL_TIMEOUT: "try again; administrators see the connector in the console",
  LIMIT_BYTES: "ask for less, or ask for a new grant",
  LIMIT_STATEMENTS: "ask for a new grant",
  LIMIT_STREAMS: "end a request that is still open first",
};

/** A sentence on what to do, or null. */
export function httpHint(code: string): string | null {
  return Object.hasOwn(hints, code) ? hints[code]! : null;
}
