/**
 * Every kind of statement that the grammar knows: what it can do, and whether a task may ever run it. A kind
 * that is not listed is refused; a test holds the list against the grammar.
 */
import type { StatementSummary } from "./decision.ts";

export interface StatementKind {
  readonly effect: StatementSummary["effect"];
  /** Null when some task may run it (its handler decides); else why none may. */
  readonly never: string | null;
}

const SCHEMA_CHANGE = "it changes the schema of the database";
const SERVER = "it acts on the server or on other sessions";
const CODE = "it runs code that cannot be looked into";
const RIGHTS = "it changes roles or rights";

function never(effect: StatementKind["effect"], why: string, kinds: string): [string, StatementKind][] {
  return kinds.split(/\s+/).map((kind) => [kind, { effect, never: why }]);
}

function decided(effect: StatementKind["effect"], kinds: string): [string, StatementKind][] {
  return kinds.split(/\s+/).map((kind) => [kind, { effect, never: null }]);
}

export const STATEMENT_KINDS: ReadonlyMap<string, StatementKind> = new Map([
  ...decided("read", "SelectStmt CopyStmt ExplainStmt DeclareCursorStmt FetchStmt"),
  ...decided("write", "InsertStmt UpdateStmt DeleteStmt MergeStmt TruncateStmt"),
  // Of temporary tables that the session makes itself.
  ...decided("write", "CreateStmt CreateTableAsStmt DropStmt"),
  ...decided(
    "session",
    "DiscardStmt ListenStmt UnlistenStmt PrepareStmt ExecuteStmt DeallocateStmt ClosePortalStmt TransactionStmt VariableSetStmt VariableShowStmt ConstraintsSetStmt",
  ),
  // To the channels that the task lists.
  ...decided("write", "NotifyStmt"),
  ...never("session", "it loads code into the server", "LoadStmt"),
  ...never("write", CODE, "DoStmt CallStmt"),
  ...never("write", "it locks whole tables", "LockStmt"),
  ...never(
    "write",
    SERVER,
    "CheckPointStmt ClusterStmt VacuumStmt ReindexStmt RefreshMatViewStmt AlterSystemStmt",
  ),
  ...never(
    "write",
    SERVER,
    "CreatedbStmt DropdbStmt AlterDatabaseStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt",
  ),
  ...never(
    "write",
    SERVER,
    "CreateTableSpaceStmt DropTableSpaceStmt AlterTableSpaceOptionsStmt AlterTableMoveAllStmt",
  ),
  ...never(
    "write",
    SERVER,
    "CreatePublicationStmt AlterPublicationStmt CreateSubscriptionStmt AlterSubscriptionStmt DropSubscriptionStmt",
  ),
  ...never(
    "write",
    RIGHTS,
    "GrantStmt GrantRoleStmt AlterDefaultPrivilegesStmt CreateRoleStmt AlterRoleStmt AlterRoleSetStmt DropRoleStmt",
  ),
  ...never(
    "write",
    RIGHTS,
    "CreatePolicyStmt AlterPolicyStmt DropOwnedStmt ReassignOwnedStmt AlterOwnerStmt SecLabelStmt",
  ),
  ...never(
    "write",
    "it makes a copy of data or a new relation",
    "ViewStmt CreateForeignTableStmt IndexStmt CreateStatsStmt AlterStatsStmt",
  ),
  ...never(
    "write",
    "it opens a way to another server",
    "CreateFdwStmt AlterFdwStmt CreateForeignServerStmt AlterForeignServerStmt CreateUserMappingStmt AlterUserMappingStmt DropUserMappingStmt ImportForeignSchemaStmt",
  ),
  ...never(
    "write",
    CODE,
    "CreateFunctionStmt AlterFunctionStmt CreateTrigStmt CreateEventTrigStmt AlterEventTrigStmt CreatePLangStmt RuleStmt CreateExtensionStmt AlterExtensionStmt AlterExtensionContentsStmt CreateTransformStmt CreateCastStmt CreateConversionStmt CreateAmStmt",
  ),
  ...never(
    "write",
    SCHEMA_CHANGE,
    "CreateSchemaStmt AlterTableStmt ReplicaIdentityStmt AlterCollationStmt AlterDomainStmt CreateSeqStmt AlterSeqStmt DefineStmt CreateDomainStmt CreateOpClassStmt CreateOpFamilyStmt AlterOpFamilyStmt CommentStmt RenameStmt AlterObjectDependsStmt AlterObjectSchemaStmt AlterOperatorStmt AlterTypeStmt CompositeTypeStmt CreateEnumStmt CreateRangeStmt AlterEnumStmt AlterTSDictionaryStmt AlterTSConfigurationStmt",
  ),
  // Parts of statements that the grammar also calls statements, and what only PL/pgSQL sends.
  ...never("none", "it is no statement of its own", "RawStmt SetOperationStmt ReturnStmt PLAssignStmt"),
]);

/** `CREATE TABLE` for CreateStmt would need a table of its own; the node's name in words is near enough. */
export function statementName(type: string): string {
  const words: Readonly<Record<string, string>> = {
    CreateStmt: "CREATE TABLE",
    CreateTableAsStmt: "CREATE TABLE AS",
    DoStmt: "DO",
    ViewStmt: "CREATE VIEW",
    IndexStmt: "CREATE INDEX",
    CreatedbStmt: "CREATE DATABASE",
    DropdbStmt: "DROP DATABASE",
    RuleStmt: "CREATE RULE",
    DefineStmt: "CREATE",
    SecLabelStmt: "SECURITY LABEL",
    VariableSetStmt: "SET",
    VariableShowStmt: "SHOW",
    CheckPointStmt: "CHECKPOINT",
  };
  return (
    words[type] ??
    type
      .replace(/Stmt$/, "")
      .replace(/([a-z])([A-Z])/g, "$1 $2")
      .toUpperCase()
  );
}
