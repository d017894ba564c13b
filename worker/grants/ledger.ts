/** The searchable copy of grants in D1. The GrantObject is right when the two differ. */
import type { Grant, GrantStatus } from "./grant.ts";

/** Writes grants as they are now; an older revision never replaces a newer one. */
export async function writeGrants(db: D1Database, grants: readonly Grant[]): Promise<void> {
  if (grants.length === 0) return;
  await db.batch(
    grants.map((grant) =>
      db
        .prepare(
          `INSERT INTO grants (id, status, issuer, subject, name, task, task_digest, resource, params, reason, kind,
             duration_ms, asked, decided, expires, ended_reason, approver_groups, needed, approvals, revision, emergency)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET status = excluded.status, decided = excluded.decided,
             expires = excluded.expires, ended_reason = excluded.ended_reason, approvals = excluded.approvals,
             revision = excluded.revision, emergency = excluded.emergency
           WHERE excluded.revision > grants.revision`,
        )
        .bind(
          grant.id,
          grant.status,
          grant.requester.issuer,
          grant.requester.subject,
          grant.requester.name,
          grant.task,
          grant.taskDigest,
          grant.resource,
          JSON.stringify(grant.params),
          grant.reason,
          grant.kind,
          grant.durationMs,
          grant.asked,
          grant.decided,
          grant.expires,
          grant.ended?.message ?? null,
          JSON.stringify([...(grant.approval?.groups ?? []), ...(grant.emergency?.review ?? [])]),
          grant.approval?.count ?? 0,
          JSON.stringify(grant.approvals),
          grant.revision,
          grant.emergency ? (grant.review ? "reviewed" : "open") : null,
        ),
    ),
  );
}

/** A grant or request as lists and the API show it. Times in ms since the epoch. */
export interface GrantRow {
  readonly id: string;
  readonly status: GrantStatus;
  readonly kind: Grant["kind"];
  readonly issuer: string;
  readonly subject: string;
  readonly name: string | null;
  readonly task: string;
  readonly task_digest: string;
  readonly resource: string;
  readonly params: Readonly<Record<string, string>>;
  readonly reason: string | null;
  readonly duration_ms: number;
  readonly asked: number;
  readonly decided: number | null;
  readonly expires: number;
  readonly ended_reason: string | null;
  readonly approver_groups: readonly string[];
  readonly needed: number;
  readonly approvals: Grant["approvals"];
  /** Of a grant that was had without approval: whether it still has to be reviewed. */
  readonly emergency: "open" | "reviewed" | null;
}

export interface GrantFilter {
  readonly issuer?: string;
  readonly subject?: string;
  readonly status?: GrantStatus;
  readonly task?: string;
  /** Leaves out the grants that the direct form made by itself. */
  readonly asked?: boolean;
  /** Grants of this person, and those that a member of these groups may decide. */
  readonly visibleTo?: {
    readonly issuer: string;
    readonly subject: string;
    readonly groups: readonly string[];
  };
  readonly limit?: number;
}

/** Grants, newest first. */
export async function listGrants(db: D1Database, filter: GrantFilter, now: number): Promise<GrantRow[]> {
  const where: string[] = [];
  const values: (string | number)[] = [];
  const add = (condition: string, ...given: (string | number | undefined)[]): void => {
    if (given.some((value) => value === undefined || value === "")) return;
    where.push(condition);
    values.push(...(given as (string | number)[]));
  };
  add("issuer = ?", filter.issuer);
  add("subject = ?", filter.subject);
  add("task = ?", filter.task);
  if (filter.asked) where.push("kind <> 'implicit'");
  if (filter.status === "pending" || filter.status === "active")
    add("status = ? AND expires > ?", filter.status, now);
  else if (filter.status === "expired") {
    add("(status = 'expired' OR (status IN ('pending', 'active') AND expires <= ?))", now);
  } else add("status = ?", filter.status);
  if (filter.visibleTo) {
    const { issuer, subject, groups } = filter.visibleTo;
    add(
      `((issuer = ? AND subject = ?) OR EXISTS (
         SELECT 1 FROM json_each(approver_groups) AS mine WHERE mine.value IN (SELECT value FROM json_each(?))))`,
      issuer,
      subject,
      JSON.stringify(groups),
    );
  }
  const { results } = await db
    .prepare(
      `SELECT * FROM grants ${where.length > 0 ? `WHERE ${where.join(" AND ")}` : ""} ORDER BY asked DESC LIMIT ?`,
    )
    .bind(...values, Math.min(Math.max(filter.limit ?? 100, 1), 1000))
    .all<Record<string, unknown>>();
  return results.map((row) => grantRow(row, now));
}

function grantRow(row: Record<string, unknown>, now: number): GrantRow {
  const open = row["status"] === "pending" || row["status"] === "active";
  return {
    ...(row as unknown as GrantRow),
    status: open && Number(row["expires"]) <= now ? "expired" : (row["status"] as GrantStatus),
    params: JSON.parse(String(row["params"])) as Record<string, string>,
    approver_groups: JSON.parse(String(row["approver_groups"])) as string[],
    approvals: JSON.parse(String(row["approvals"])) as Grant["approvals"],
  };
}

/** Ids of all open grants of an identity, or of everyone. */
export async function openGrantIds(
  db: D1Database,
  who: { issuer: string; subject: string } | null,
): Promise<{ id: string; task: string; task_digest: string }[]> {
  const sql = `SELECT id, task, task_digest FROM grants WHERE status IN ('pending', 'active')
    ${who ? "AND issuer = ? AND subject = ?" : ""} ORDER BY asked`;
  const { results } = await db
    .prepare(sql)
    .bind(...(who ? [who.issuer, who.subject] : []))
    .all<{ id: string; task: string; task_digest: string }>();
  return results;
}
