/**
 * Which relations of pg_catalog and information_schema any task may read. They describe the database; none
 * holds its data. Those that also hold sources, texts of other sessions, sampled values or secrets are shown in
 * part, by the same rewriting as a table; those that hold little else are left out.
 */
import { READABLE_SETTINGS } from "./functions.generated.ts";
import { quoteText } from "./names.ts";

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

const CATALOGS = words(`
pg_aggregate pg_am pg_amop pg_amproc pg_attrdef pg_attribute pg_auth_members pg_available_extension_versions
pg_available_extensions pg_cast pg_class pg_collation pg_constraint pg_conversion pg_database pg_default_acl
pg_depend pg_description pg_enum pg_event_trigger pg_extension pg_foreign_data_wrapper pg_foreign_server
pg_foreign_table pg_group pg_index pg_indexes pg_inherits pg_init_privs pg_language pg_largeobject_metadata
pg_locks pg_matviews pg_namespace pg_opclass pg_operator pg_opfamily pg_parameter_acl pg_partitioned_table pg_policies
pg_policy pg_proc pg_publication pg_publication_namespace pg_publication_rel pg_publication_tables pg_range
pg_rewrite pg_roles pg_rules pg_seclabel pg_seclabels pg_sequence pg_sequences pg_settings pg_shdepend
pg_shdescription pg_shseclabel pg_stat_activity pg_stat_all_indexes pg_stat_all_tables pg_stat_database
pg_stat_gssapi pg_stat_ssl pg_stat_sys_indexes pg_stat_sys_tables pg_stat_user_functions pg_stat_user_indexes
pg_stat_user_tables
pg_statio_all_indexes pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_tables pg_statio_user_indexes
pg_statio_user_sequences pg_statio_user_tables pg_statistic_ext pg_subscription pg_subscription_rel pg_tables
pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_transform pg_trigger pg_ts_config pg_ts_config_map
pg_ts_dict pg_ts_parser pg_ts_template pg_type pg_user pg_views pg_wait_events
`);

const INFORMATION_SCHEMA = words(`
administrable_role_authorizations applicable_roles attributes character_sets check_constraint_routine_usage
check_constraints collation_character_set_applicability collations column_column_usage column_domain_usage
column_privileges column_udt_usage columns constraint_column_usage constraint_table_usage data_type_privileges
domain_constraints domain_udt_usage domains element_types enabled_roles foreign_data_wrappers foreign_servers
foreign_tables information_schema_catalog_name key_column_usage parameters referential_constraints
role_column_grants role_routine_grants role_table_grants role_udt_grants role_usage_grants routine_column_usage
routine_privileges routine_routine_usage routine_sequence_usage routine_table_usage routines schemata sequences
sql_features sql_implementation_info sql_parts sql_sizing table_constraints table_privileges tables transforms
triggered_update_columns triggers udt_privileges usage_privileges user_defined_types view_column_usage
view_routine_usage view_table_usage views
`);

/** Catalogs that tools ask for and no task may read, and what they hold. */
const REFUSED_CATALOGS: readonly (readonly [what: string, names: ReadonlySet<string>])[] = [
  [
    "passwords or connection strings",
    words("pg_authid pg_shadow pg_user_mapping pg_user_mappings user_mapping_options"),
  ],
  [
    "values of rows",
    words("pg_statistic pg_statistic_ext_data pg_stats pg_stats_ext pg_stats_ext_exprs pg_largeobject"),
  ],
  [
    "what belongs to other sessions or servers",
    words(`pg_cursors pg_prepared_statements pg_prepared_xacts pg_replication_origin pg_replication_origin_status
      pg_replication_slots pg_stat_archiver pg_stat_progress_analyze pg_stat_progress_vacuum pg_stat_replication
      pg_stat_replication_slots pg_stat_subscription pg_stat_wal_receiver pg_stat_statements`),
  ],
  [
    "the server's settings and files",
    words(`pg_backend_memory_contexts pg_config pg_db_role_setting pg_file_settings pg_hba_file_rules
      pg_ident_file_mappings pg_shmem_allocations`),
  ],
];

/** What a catalog holds that no task may see, in words; null when it is none of those. */
export function whyRefused(name: string): string | null {
  return REFUSED_CATALOGS.find(([, set]) => set.has(name))?.[0] ?? null;
}

/** How a catalog is shown in part: columns that are always NULL or empty, and which rows. */
export interface PartialCatalog {
  readonly schema: "pg_catalog" | "information_schema";
  readonly name: string;
  /** Column → its SQL; `NULL` is given the column's type. */
  readonly blank: Readonly<Record<string, "NULL" | "''">>;
  readonly where: string | null;
}

const OWN_SESSION = "pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()";
const settingNames = quoteText(`{${[...READABLE_SETTINGS].join(",")}}`);

const PARTIAL: readonly PartialCatalog[] = [
  {
    schema: "pg_catalog",
    name: "pg_proc",
    blank: { prosrc: "''", probin: "NULL", prosqlbody: "NULL" },
    where: null,
  },
  { schema: "pg_catalog", name: "pg_attribute", blank: { attmissingval: "NULL" }, where: null },
  { schema: "pg_catalog", name: "pg_subscription", blank: { subconninfo: "''" }, where: null },
  { schema: "pg_catalog", name: "pg_roles", blank: { rolconfig: "NULL" }, where: null },
  { schema: "pg_catalog", name: "pg_user", blank: { useconfig: "NULL" }, where: null },
  {
    schema: "pg_catalog",
    name: "pg_stat_activity",
    blank: { query: "''", client_addr: "NULL", client_hostname: "NULL", client_port: "NULL" },
    where: OWN_SESSION,
  },
  { schema: "pg_catalog", name: "pg_locks", blank: {}, where: OWN_SESSION },
  { schema: "pg_catalog", name: "pg_stat_ssl", blank: {}, where: OWN_SESSION },
  { schema: "pg_catalog", name: "pg_stat_gssapi", blank: {}, where: OWN_SESSION },
  {
    schema: "pg_catalog",
    name: "pg_settings",
    blank: { sourcefile: "NULL", sourceline: "NULL" },
    where: `name OPERATOR(pg_catalog.=) ANY (${settingNames}::pg_catalog.text[])`,
  },
  { schema: "information_schema", name: "routines", blank: { routine_definition: "NULL" }, where: null },
];

const PARTIAL_BY_NAME = new Map(PARTIAL.map((entry) => [`${entry.schema}.${entry.name}`, entry]));

/** The catalogs whose columns the connector must send (catalog.ts). */
export const partialCatalogs: readonly PartialCatalog[] = PARTIAL;

/** `whole`: readable as it is; a partial catalog: readable by its view; null: not readable, or not a catalog. */
export function systemCatalog(schema: string, name: string): "whole" | PartialCatalog | null {
  // A table of another schema may have the name of one, as `domains` or `tables`.
  if (
    !(schema === "pg_catalog" ? CATALOGS : schema === "information_schema" ? INFORMATION_SCHEMA : null)?.has(
      name,
    )
  )
    return null;
  return PARTIAL_BY_NAME.get(`${schema}.${name}`) ?? "whole";
}

export function isSystemSchema(schema: string): boolean {
  return schema === "pg_catalog" || schema === "information_schema";
}
