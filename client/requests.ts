/** Requests for a grant, as the edge's API has them: ask, look, decide, and wait for what others decide. */
import { call, type Edge } from "./edge.ts";
import { CommandError, exit, fail } from "./exit.ts";
import { PROGRAM } from "./program.ts";

export type RequestStatus = "pending" | "active" | "denied" | "expired" | "revoked" | "used";

/** What is asked for. */
export interface RequestAsk {
  readonly task: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly description?: string | null;
  /** `30m`; null = as long as the task allows. */
  readonly duration: string | null;
  /** How many sessions may be started; null = any number. */
  readonly sessions?: number | null;
  /** Asked for in an emergency, where the task allows that. */
  readonly emergency?: boolean;
}

export interface Who {
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
}

/** A request or grant. Times in milliseconds since the epoch, `duration` in seconds. */
export interface GrantRequest {
  readonly id: string;
  readonly status: RequestStatus;
  readonly kind: "implicit" | "request" | "statement";
  readonly task: string;
  readonly resource: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly duration: number;
  readonly requester: Who;
  readonly asked: number;
  readonly expires: number;
  readonly needed: number;
  readonly approvers: readonly string[];
  readonly approvals: readonly (Who & { readonly at: number; readonly comment: string | null })[];
  readonly url: string;
  readonly description?: string | null;
  /** Had without approval: who has to look at it afterwards (a list says only whether somebody did). */
  readonly emergency?: { readonly review: readonly string[] } | "open" | "reviewed";
  readonly review?: (Who & { readonly at: number; readonly comment: string | null }) | null;
  readonly ended?: { readonly code: string; readonly message: string } | null;
  readonly statement?: {
    readonly text: string;
    readonly params: readonly (string | null)[] | null;
    readonly relations: readonly string[];
    readonly masked: readonly string[];
    readonly touches: readonly {
      readonly relation: string;
      readonly verb: string;
      readonly columns: readonly string[] | "*";
      readonly rows: string | null;
    }[];
    readonly plan: string | null;
    readonly estimatedRows: number | null;
    readonly noPlan: string | null;
    readonly digest: string;
    /** What to look out for: hidden characters, mixed alphabets, length. */
    readonly warnings: readonly string[];
  };
}

/** How often a request that waits is looked at, milliseconds. */
const POLL_MS = 1_000;

/** Asks for a grant; the same question again, while it waits, is the same request. */
export function askFor(edge: Edge, ask: RequestAsk): Promise<GrantRequest> {
  const { emergency, ...body } = ask;
  const flags = emergency ? { emergency } : {};
  return call<GrantRequest>(edge, "/api/requests", { method: "POST", body: { ...body, ...flags } });
}

/** Requests that the caller made or may decide, the newest first. */
export async function listRequests(
  edge: Edge,
  filter: Readonly<Record<string, string>>,
): Promise<readonly GrantRequest[]> {
  const query = new URLSearchParams(filter);
  return (await call<{ requests: readonly GrantRequest[] }>(edge, `/api/requests?${query}`)).requests;
}

export function findRequest(edge: Edge, id: string): Promise<GrantRequest> {
  return call<GrantRequest>(edge, pathOf(id));
}

/** Approves, denies or revokes. `reason` is the comment that stays with it. */
export function decideOn(
  edge: Edge,
  id: string,
  verb: "approve" | "deny" | "revoke" | "review",
  reason: string | null,
  /** Digest of the statement that was shown. */
  seen?: string,
): Promise<GrantRequest> {
  const body = { reason, ...(seen === undefined ? {} : { seen }) };
  return call<GrantRequest>(edge, `${pathOf(id)}/${verb}`, { method: "POST", body });
}

/** Looks until the request is decided, or nobody can decide it any more. An edge that is away is waited for. */
export async function waitFor(edge: Edge, id: string): Promise<GrantRequest> {
  for (;;) {
    const request = await findRequest(edge, id).catch((error: CommandError) => {
      const { exit: kind, code } = error.fault ?? {};
      if (kind === exit.unreachable || code === "TOKEN_KEYS_UNAVAILABLE") return null;
      throw error;
    });
    if (request && request.status !== "pending") return request;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Null for a grant that can be used; else why not, with the exit code for it. */
export function notUsable(request: GrantRequest): CommandError | null {
  const { status, ended } = request;
  const words = ended?.message ? `: ${ended.message}` : "";
  const again = `${PROGRAM} request ${request.task}`;
  switch (status) {
    case "active":
      return null;
    case "pending":
      return new CommandError({
        ...{ exit: exit.pending, code: "APPROVAL_PENDING", message: "the request waits for approval" },
        ...{ next: request.url, request: request.id },
      });
    case "denied":
      return fail(exit.denied, "APPROVAL_DENIED", `the request was denied${words}`);
    case "revoked":
      return fail(exit.denied, "GRANT_REVOKED", `the request was withdrawn or revoked${words}`, again);
    case "expired":
      return fail(exit.pending, "GRANT_EXPIRED", "nobody decided in time, or its time is over", again);
    case "used":
      return fail(exit.denied, "GRANT_USED", "the grant is used up", again);
  }
}

function pathOf(id: string): string {
  return `/api/requests/${encodeURIComponent(id)}`;
}
