/**
 * The task model: what one policy file says, after it was read, checked and made canonical.
 * One file is one task, one session runs exactly one task, and nothing is merged or inherited.
 * Formats: design notes, "Formats that later checks rely on"; `compile.ts` makes these values from YAML.
 */
import type { KubeVerb } from "../wire/kubernetes/request.ts";
import type { PodRule } from "./kubernetes/rules.ts";

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
  /** Line of the `task:` key. */
  readonly at: SourceRef;
  /** Lines of the file's parts, for the `rule` of a refusal; a part that is not written points to `task:`. */
  readonly refs: Readonly<Record<TaskPart, SourceRef>>;
  readonly who: { readonly groups: readonly string[]; readonly workloads: readonly WorkloadRule[] };
  readonly require: TaskRequirements;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly resource: string;
  readonly resourceType: ResourceType;
  /** For `resourceType: "postgres"`; empty otherwise. */
  readonly rules: readonly SqlRule[];
  /** For `resourceType: "kubernetes" | "http"`, all of that kind. Empty otherwise. */
  readonly requestRules: readonly RequestRule[];
  /** Functions of the database that the task may call besides the general allow-list: `schema.name`. */
  readonly functions: readonly string[];
  readonly limits: TaskLimits;
  readonly session: TaskSession;
  readonly approval: TaskApproval | null;
  readonly recording: TaskRecording;
}

/** The parts of a task file that a refusal can point to. */
export type TaskPart =
  | "who"
  | "require"
  | "params"
  | "allow"
  | "limits"
  | "session"
  | "approval"
  | "recording";

export interface TaskRequirements {
  /** Glob that the whole reason must match (`*` any run, `?` one character); null = no reason needed. */
  readonly reason: string | null;
  readonly mfa: boolean;
  /** When the task may start; null = always. */
  readonly hours: TaskHours | null;
}

/** A span of the clock on some days, in an IANA time zone. */
export interface TaskHours {
  /** ISO 8601: Monday is 1, Sunday is 7; ascending. */
  readonly days: readonly number[];
  /** `HH:MM`, included. */
  readonly from: string;
  /** `HH:MM` up to `24:00`, not included; before `from` means on the next day. */
  readonly to: string;
  readonly zone: string;
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
  /** Set where the session may make temporary tables of its own; its transactions are not read-only then. */
  readonly temporaryTables?: true;
  /** Set where a pool of connections may put a session back to its start: DISCARD, RESET ALL, UNLISTEN. */
  readonly pooled?: true;
  /** Channels that the session may LISTEN on, and so see what is sent there. */
  readonly listen?: readonly string[];
  /** Channels that it may send to: NOTIFY, pg_notify(). */
  readonly notify?: readonly string[];
}

export interface TaskApproval {
  readonly from: { readonly groups: readonly string[] };
  readonly count: number;
  readonly expiresMs: number;
  /** Present where the task may be started in an emergency without waiting; it is reviewed afterwards. */
  readonly emergency?: TaskEmergency;
}

export interface TaskEmergency {
  /** Who looks at each use afterwards; never who used it. */
  readonly review: { readonly groups: readonly string[] };
  /** How often a person may do so in 24 hours. */
  readonly quota: number;
}

export interface TaskRecording {
  readonly level: "full" | "statements";
  readonly onFailure: "terminate" | "continue";
  readonly durability: "batched" | "strict";
  /** The recording leaves the connector sealed to its auditors' keys. Left out where the task does not say so. */
  readonly sealed?: true;
}

export type SqlVerb = "select" | "insert" | "update" | "delete" | "merge" | "truncate" | "copy";

/** One relation under one verb of one `allow` item. */
export interface SqlRule {
  readonly verb: SqlVerb;
  readonly schema: string;
  readonly relation: string;
  /**
   * Granted columns in file order; `"*"` = all columns that the relation has when the session starts. Of an
   * insert, update or merge: the columns that may be written. Empty for delete and truncate.
   */
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

export type RequestRule = KubernetesRule | HttpRule;

/** One `allow` item of a Kubernetes task: requests that match all of it are allowed. */
export interface KubernetesRule {
  readonly kind: "kubernetes";
  /** `""` is the core group. */
  readonly apiGroups: readonly string[];
  /** `pods`, `pods/log`, … exact, with the subresource. */
  readonly resources: readonly string[];
  readonly verbs: readonly KubernetesVerb[];
  /** Globs; empty = only what has no namespace. */
  readonly namespaces: readonly string[];
  /** Globs; null = any name. */
  readonly names: readonly string[] | null;
  /** Labels that an object must have, all of them. */
  readonly labels: Readonly<Record<string, string>>;
  /** For `exec`: globs over the words of the command joined by single spaces; null = none allowed. */
  readonly commands: readonly string[] | null;
  /** For `portforward`; null = none allowed. */
  readonly ports: readonly number[] | null;
  /** Masks by field path (`data.*`, `spec.containers[*].env[*].value`). */
  readonly mask: Readonly<Record<string, Mask>>;
  /** Globs over types of Secrets whose values are shown; the values of all others are masked. */
  readonly secrets: readonly string[];
  /** What the pods of a write may do beyond the baseline; null = nothing. */
  readonly pods: PodRule | null;
  /** `request`: each request that uses the rule is held for approval. */
  readonly approval: "request" | null;
  readonly at: SourceRef;
}

/** Verbs of a rule are those that a request is read as. */
export type KubernetesVerb = KubeVerb;

/** One `allow` item of an HTTP task. */
export interface HttpRule {
  readonly kind: "http";
  /** Upper case. */
  readonly methods: readonly string[];
  /** `/v1/orders/{id}`: `{name}` is one segment, `*` any run within a segment, a last `**` any rest. */
  readonly paths: readonly string[];
  /** Query keys that may be given. */
  readonly query: readonly string[];
  /** Masks by field path of a JSON answer. */
  readonly mask: Readonly<Record<string, Mask>>;
  readonly approval: "request" | null;
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
