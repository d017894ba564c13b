/**
 * Writes `policies/postgres/functions.generated.ts`: which built-in functions, types and settings a statement
 * may name, and why each other one may not. Run it again for a new PostgreSQL version and review the diff:
 *
 *     node scripts/generate-functions.ts [URL …]
 *
 * With no URL the embedded server of the tests is used. Given several servers (say 15 and 18), the union is
 * written: a name that a server does not have is refused by the server itself.
 *
 * A function name is allowed when every overload of it is callable from SQL and is immutable or stable, and no
 * rule below refuses it; volatile functions are allowed one by one. The list is by name because a statement's
 * overload cannot be known without its types.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";

/** First match decides. */
const REFUSALS: readonly (readonly [string, RegExp])[] = [
  [
    "reads tables or runs SQL that is given as text",
    /(_to_xml|_to_xmlschema|_to_xml_and_xmlschema)$|^ts_(stat|rewrite)$|^currtid2?$|^satisfies_hash_partition$/,
  ],
  [
    "reads or writes files of the server",
    /^pg_(read_|ls_|stat_file|file_|relation_filepath|current_logfile|hba_file|ident_file|show_all_file|import_system|split_walfile)|^pg_walfile/,
  ],
  ["large objects are not governed by a task", /^(lo_|loread|lowrite)/],
  [
    "controls the server or another session",
    /^pg_(cancel|terminate|reload|rotate|promote|switch_wal|create_|drop_|copy_|backup|stop_|start_|wal_|log_|sync_|stat_reset|stat_clear|stat_force|clear_|restore_|replication_|isolation_test)|^binary_upgrade|^pg_logical|^(brin_(summ|desumm)|gin_clean)/,
  ],
  [
    "shows other sessions or the inside of the server",
    /^pg_(stat_get(?!_numscans$)|stat_have|blocking|safe_snapshot|lock_status|get_(backend|shmem|aios|loaded|wal|replication_slots|multixact)|show_(replication|all)|control_|config$|last_|current_wal|available_wal|prepared_|listening|notification_queue|cursor$|tablespace_databases|nextoid|numa)|^(inet_client_|inet_server_)/,
  ],
  ["shows sampled values of a table", /^pg_mcv_list_items$/],
  ["shows the source of functions", /^pg_get_(functiondef|function_sqlbody)$/],
  ["shows the rewritten text", /^current_query$/],
  [
    "reads or moves a sequence",
    /^(nextval|setval|currval|lastval)$|^pg_(sequence_last_value|get_sequence_data)$/,
  ],
  ["locks, waits or signals outside of tables", /advisory|^pg_sleep|^pg_notify$/],
  [
    "takes part in the transaction machinery",
    /^pg_(export_snapshot|xact_|current_xact_id$)|^txid_(current|status)$/,
  ],
  [
    "works only inside of DDL, triggers or extensions",
    /^pg_(event_trigger|extension_config)|^(suppress_redundant|tsvector_update|unique_key_recheck|amvalidate|RI_F)|_validator$/,
  ],
];

/** Volatile, and yet free of effects and of anything hidden. */
const VOLATILE = new Set(
  `array_sample array_shuffle clock_timestamp gen_random_uuid random random_normal setseed timeofday uuidv4 uuidv7
   pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_collation_actual_version pg_database_collation_actual_version
   pg_partition_ancestors pg_partition_tree pg_get_wait_events set_config
   pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size pg_total_relation_size`.split(
    /\s+/,
  ),
);

/** Checked by name and constant argument where they are called. */
const GUARDED = new Set(["current_setting", "set_config"]);

/** `pg_show_all_settings` is replaced by the task's view of the settings. */
const REPLACED = new Set(["pg_show_all_settings"]);

const SETTINGS_REFUSED =
  /director|_file|_dir$|_path|_command|conninfo|preload|libraries|listen_addr|unix_socket|ssl|krb|gss|ldap|slot|standby_names|log_|recovery|restore|archive|event_source|bonjour|cluster_name|dynamic_|krb|jit_provider|session_auth|^role$|external_pid|password|scram|debug_|trace_|wal_|_conn|oauth|summar|zero_damaged|ignore_|allow_system|^port$|restrict_/;
const SETTINGS_ALLOWED = new Set([
  "search_path",
  "password_encryption",
  "wal_level",
  "wal_block_size",
  "wal_segment_size",
  "debug_assertions",
  "max_connections",
  "superuser_reserved_connections",
  "reserved_connections",
  "log_min_messages",
  "max_replication_slots",
  "max_wal_senders",
  "ssl",
]);

interface FunctionRow {
  name: string;
  volatile: boolean;
  internal: boolean;
}

const reason = (name: string) => REFUSALS.find(([, pattern]) => pattern.test(name))?.[0] ?? null;

async function read(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const functions = await client.query<FunctionRow>(
      `SELECT p.proname AS name, bool_or(p.provolatile = 'v') AS volatile,
              bool_or(p.prokind = 'p' OR p.prorettype IN (${INTERNAL}) OR
                      EXISTS (SELECT FROM unnest(p.proargtypes) a WHERE a IN (${INTERNAL}))) AS internal
         FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace GROUP BY 1`,
    );
    // An aggregate's transition functions take internal arguments; the aggregate itself is listed as callable.
    const types = await client.query<{ name: string }>(
      `SELECT t.typname AS name FROM pg_catalog.pg_type t
        WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype IN ('b','r','m') AND t.typname !~ '^_'
        UNION SELECT unnest(ARRAY['record','void','anyelement','anyarray','unknown'])`,
    );
    const domains = await client.query<{ name: string }>(
      "SELECT t.typname AS name FROM pg_catalog.pg_type t WHERE t.typnamespace = 'information_schema'::regnamespace AND t.typtype = 'd'",
    );
    const settings = await client.query<{ name: string }>(
      "SELECT name FROM pg_catalog.pg_settings WHERE name !~ '[.]'",
    );
    return { functions: functions.rows, types: types.rows, domains: domains.rows, settings: settings.rows };
  } finally {
    await client.end();
  }
}

/** Pseudo-types that mean "not callable from SQL". */
const INTERNAL = [
  "internal",
  "trigger",
  "event_trigger",
  "language_handler",
  "fdw_handler",
  "index_am_handler",
  "table_am_handler",
  "tsm_handler",
  "cstring",
  "pg_ddl_command",
]
  .map((name) => `'pg_catalog.${name}'::regtype`)
  .join(", ");

const sorted = (items: Iterable<string>) => [...new Set(items)].sort((a, b) => (a < b ? -1 : 1));

function words(items: readonly string[]): string {
  const lines: string[] = [];
  let line = "";
  for (const item of items) {
    if (line.length + item.length > 105) {
      lines.push(line);
      line = "";
    }
    line += (line ? " " : "") + item;
  }
  lines.push(line);
  return `\`\n${lines.join("\n")}\n\``;
}

async function main(urls: readonly string[]) {
  const servers = [];
  for (const url of urls) servers.push(await read(url));
  const allowed: string[] = [];
  const refused = new Map<string, string[]>();
  const refuse = (why: string, name: string) => refused.set(why, [...(refused.get(why) ?? []), name]);
  for (const name of sorted(servers.flatMap((server) => server.functions.map((row) => row.name)))) {
    const rows = servers.flatMap((server) => server.functions.filter((row) => row.name === name));
    const why = reason(name);
    if (REPLACED.has(name)) allowed.push(name);
    else if (why && !VOLATILE.has(name)) refuse(why, name);
    else if (rows.some((row) => row.internal))
      refuse("is not callable from SQL, or is a type's input or output", name);
    else if (rows.some((row) => row.volatile) && !VOLATILE.has(name))
      refuse("is volatile and was not reviewed", name);
    else allowed.push(name);
  }
  const settings = sorted(servers.flatMap((server) => server.settings.map((row) => row.name)));
  const readable = settings.filter((name) => SETTINGS_ALLOWED.has(name) || !SETTINGS_REFUSED.test(name));
  const text = `// Made by scripts/generate-functions.ts; review a change as you would review code.

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\\s+/));

/** Functions of pg_catalog that any task may call, by name. ${[...GUARDED].join(" and ")} only with constant, listed names. */
export const ALLOWED_FUNCTIONS = words(${words(allowed)});

/** Functions of pg_catalog that no task may call, by the reason. */
export const REFUSED_FUNCTIONS: readonly (readonly [reason: string, names: ReadonlySet<string>])[] = [
${sorted(refused.keys())
  .map((why) => `  [${JSON.stringify(why)}, words(${words(refused.get(why)!)})],`)
  .join("\n")}
];

/** Base, range and multirange types of pg_catalog, and the pseudo-types that a cast may name. */
export const BUILTIN_TYPES = words(${words(sorted(servers.flatMap((server) => server.types.map((row) => row.name))))});

/** Domains of information_schema. */
export const INFORMATION_SCHEMA_TYPES = words(${words(sorted(servers.flatMap((server) => server.domains.map((row) => row.name))))});

/** Settings whose value a task may see. */
export const READABLE_SETTINGS = words(${words(readable)});
`;
  writeFileSync(join(import.meta.dirname, "..", "policies", "postgres", "functions.generated.ts"), text);
  console.log(
    `${allowed.length} functions allowed, ${[...refused.values()].flat().length} refused, ${readable.length} of ${settings.length} settings`,
  );
  console.log("settings not readable:", settings.filter((name) => !readable.includes(name)).join(" "));
}

if (process.argv.length > 2) await main(process.argv.slice(2));
else {
  const { startPostgres } = await import("../test/support/postgres.ts");
  const server = await startPostgres();
  try {
    await main([server.url]);
  } finally {
    await server.stop();
  }
}
