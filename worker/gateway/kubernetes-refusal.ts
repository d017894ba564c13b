/** What the gate itself answers to a client of a cluster. */
import { failure } from "../../wire/kubernetes/status.ts";

/** A refusal as kubectl prints it. */
export function refusal(
  status: number,
  reason: string,
  message: string,
  rule: string | null,
  hint: string | null,
): Response {
  const where = rule === null ? "" : ` [${rule}]`;
  const text = `${message}${hint === null ? "" : `; ${hint}`} (${reason})${where}`;
  return json(status, failure(status, text));
}

/** An answer in JSON that nobody may keep. */
export function json(status: number, value: unknown): Response {
  const headers = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  return new Response(JSON.stringify(value), { status, headers });
}
