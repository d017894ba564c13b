/**
 * The task model: what one policy file says, after it was read, checked and made canonical.
 * One file is one task, one session runs exactly one task, and nothing is merged or inherited.
 * Formats: design notes, "Formats that later checks rely on"; `compile.ts` makes these values from YAML.
 */

/** SHA-256 in lower-case hexadecimal (64 characters). */
export type Digest = string;

/** Where a rule stands in its file: `tasks/refund-investigation.yaml:12`. Lines count from 1. */
export type SourceRef = string;

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The compiled task library: the only policy input of the edge. */
export interface Bundle {
  readonly version: 1;
  /** Digest over the canonical JSON of `resources` and `tasks`. */
  readonly digest: Digest;
  readonly resources: Readonly<Record<string, Resource>>;
  readonly tasks: Readonly<Record<string, Task>>;
}

export type ResourceType = "postgres" | "kubernetes" | "http";

export interface Resource {
  readonly name: string;
  readonly type: ResourceType;
  /** Name of the connector that can open it. */
  readonly connector: string;
}

export type ParamType = "text" | "integer" | "numeric" | "boolean" | "date" | "timestamp" | "uuid";

/** A workload identity: an issuer and claims that must all be equal. */
export interface WorkloadRule {
  readonly issuer: string;
  readonly claims: Readonly<Record<string, Json>>;
}

export interface Task {
  readonly version: 1;
  /** Equals the file's base name. */
  readonly name: string;
  /** Digest over this task's canonical JSON without `digest`. */
  readonly digest: Digest;
  readonly description: string;
  readonly owner: string;
  readonly at: SourceRef;
  readonly who: { readonly groups: readonly string[]; readonly workloads: readonly WorkloadRule[] };
  readonly require: TaskRequirements;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly resource: string;
  readonly resourceType: ResourceType;
  /** For `resourceType: "postgres"`; empty otherwise. */
  readonly rules: readonly SqlRule[];
  /** For `resourceType: "kubernetes" | "http"`: rules in that room's own model. Empty otherwise. */
  readonly requestRules: readonly Json[];
  /** Functions of the database that the task may call besides the general allow-list: `schema.name`. */
  readonly functions: readonly string[];
  readonly limits: TaskLimits;
  readonly session: TaskSession;
  readonly approval: TaskApproval | null;
  readonly recording: TaskRecording;
}

export interface TaskRequirements {
  /** Glob that the whole reason must match (`*` any run, `?` one character); null = no reason needed. */
  readonly reason: string | null;
  readonly mfa: boolean;
  /** When the task may start, in the given IANA time zone; null = always. */
  readonly hours: { readonly days: readonly number[]; readonly from: string; readonly to: string; readonly zone: string } | null;
}

/** Null = not limited by the task (the deployment's own caps still hold). */
export interface TaskLimits {
  readonly rows: number | null;
  readonly statements: number | null;
  /** Bytes sent to the client. */
  readonly bytes: number | null;
  readonly statementTimeoutMs: number | null;
  /** How many statements with a lookup predicate; null = the default of 100. */
  readonly lookups: number | null;
}

export interface TaskSession {
  readonly ttlMs: number;
  readonly idleMs: number;
  readonly maxConcurrent: number | null;
}

export interface TaskApproval {
  readonly from: { readonly groups: readonly string[] };
  readonly count: number;
  readonly expiresMs: number;
}

export interface TaskRecording {
  readonly level: "full" | "statements";
  readonly onFailure: "terminate" | "continue";
  readonly durability: "batched" | "strict";
}

export type SqlVerb = "select" | "insert" | "update" | "delete" | "merge" | "truncate" | "copy";

/** One relation under one verb of one `allow` item. */
export interface SqlRule {
  readonly verb: SqlVerb;
  readonly schema: string;
  readonly relation: string;
  /** Granted columns in file order; `"*"` = all columns that the relation has when the session starts. */
  readonly columns: readonly string[] | "*";
  /** SQL boolean expression over the relation's columns with `:param` placeholders; null = all rows. */
  readonly rows: string | null;
  readonly mask: Readonly<Record<string, Mask>>;
  /** Masked columns by whose real value a row may be found. */
  readonly lookup: readonly string[];
  /** Content detectors by column. */
  readonly detect: Readonly<Record<string, readonly string[]>>;
  /** `statement`: each statement that uses the rule is held for approval. */
  readonly approval: "statement" | null;
  readonly at: SourceRef;
}

/** Masks, each NULL-preserving unless it is `null`. `last4` is compiled to `keep`. */
export type Mask =
  | { readonly kind: "null" }
  | { readonly kind: "constant"; readonly value: string | number | boolean }
  | { readonly kind: "email" }
  | { readonly kind: "keep"; readonly first: number; readonly last: number; readonly with: string }
  | { readonly kind: "token" }
  | { readonly kind: "year" }
  | { readonly kind: "month" }
  | { readonly kind: "round"; readonly digits: number };

/** Who is asking, from a validated token. The key is (issuer, subject), never an email address. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** For display only. */
  readonly name: string | null;
  readonly groups: readonly string[];
  readonly claims: Readonly<Record<string, Json>>;
  /** End of the token's validity, milliseconds since the epoch. */
  readonly expires: number;
}
