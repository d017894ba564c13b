/**
 * What graphical tools ask a database about itself when they connect and when somebody looks through its tables. Each
 * group asks for the same facts of the same catalogs, by the same functions, as the public source that it names; the
 * texts are this project's own. `:people`, `:notes`, `:busy` stand for the oids of tables of test/languages/schema.sql.
 */
export interface ToolQueries {
  readonly tool: string;
  /** Where it is seen what the tool asks. */
  readonly source: string;
  readonly queries: readonly string[];
}

export const TOOL_QUERIES: readonly ToolQueries[] = [
  {
    tool: "pgAdmin 4, servers and databases",
    source: "pgadmin4: web/pgadmin/browser/server_groups/servers/**/templates",
    queries: [
      "SELECT version(), current_setting('server_version_num')::int >= 150000",
      `SELECT d.oid, d.datname, d.datallowconn, d.datistemplate, pg_encoding_to_char(d.encoding), t.spcname, d.datconnlimit,
        pg_catalog.has_database_privilege(d.oid, 'CREATE'), shobj_description(d.oid, 'pg_database'), pg_get_userbyid(d.datdba)
        FROM pg_catalog.pg_database d LEFT JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = current_database()`,
      `SELECT a.privilege_type, pg_get_userbyid(a.grantee) AS who, a.is_grantable
        FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE d.datname = 'template1' ORDER BY 2, 1`,
      `SELECT r.oid, r.rolname, r.rolcanlogin, r.rolsuper, r.rolconnlimit, r.rolvaliduntil,
        ARRAY(SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1),
        pg_catalog.shobj_description(r.oid, 'pg_authid') FROM pg_roles r ORDER BY r.rolname`,
      "SELECT pg_is_in_recovery(), CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END",
      "SELECT t.oid, t.spcname, pg_get_userbyid(t.spcowner), pg_tablespace_location(t.oid), t.spcoptions FROM pg_tablespace t ORDER BY 1",
      "SELECT oid, fdwname, fdwhandler::regproc, fdwvalidator FROM pg_foreign_data_wrapper",
      "SELECT e.extname, e.extversion, e.extrelocatable, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace",
      "SELECT name, default_version, installed_version, comment FROM pg_available_extensions WHERE name = 'plpgsql'",
      "SELECT l.lanname, l.lanpltrusted, h.proname FROM pg_language l LEFT JOIN pg_proc h ON h.oid = l.lanplcallfoid ORDER BY 1",
      "SELECT c.castsource::regtype, c.casttarget::regtype, c.castcontext FROM pg_cast c WHERE c.castsource = 'date'::regtype ORDER BY 2",
      "SELECT evtname, evtevent, evtenabled FROM pg_event_trigger",
      "SELECT pubname, puballtables, pubinsert FROM pg_publication",
    ],
  },
  {
    tool: "pgAdmin 4, schemas and tables",
    source: "pgadmin4: web/pgadmin/browser/server_groups/servers/databases/schemas/**/templates",
    queries: [
      `SELECT n.oid, n.nspname, has_schema_privilege(n.oid, 'CREATE') AS c, has_schema_privilege(n.oid, 'USAGE') AS u, d.description
        FROM pg_namespace n LEFT JOIN pg_description d ON d.objoid = n.oid AND d.classoid = 'pg_namespace'::regclass
        WHERE n.nspname !~ '^pg_' OR n.nspname = 'pg_catalog' ORDER BY 2`,
      `SELECT c.oid, c.relname, (SELECT count(*) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal) AS triggers,
        (SELECT count(1) FROM pg_inherits WHERE inhrelid = c.oid LIMIT 1) AS inherits, c.relispartition, c.reltuples::bigint < 0
        FROM pg_class c WHERE c.relkind IN ('r', 's', 't', 'p') AND c.relnamespace = 'public'::regnamespace ORDER BY 2`,
      `SELECT c.relname, coalesce(s.spcname, (SELECT sp.spcname FROM pg_database db JOIN pg_tablespace sp ON db.dattablespace = sp.oid
        WHERE db.datname = current_database())), pg_get_userbyid(c.relowner), k.conname, k.conkey, c.relpersistence,
        substring(array_to_string(c.reloptions, ',') FROM 'fillfactor=([0-9]*)'), am.amname, c.relacl::text, c.relrowsecurity,
        ARRAY(SELECT provider || '=' || label FROM pg_seclabels l WHERE l.objoid = c.oid AND l.objsubid = 0)
        FROM pg_class c LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace LEFT JOIN pg_am am ON am.oid = c.relam
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' WHERE c.oid = :notes`,
      `SELECT a.attname, a.attnum, a.atttypid, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum), a.attstattarget, a.attoptions,
        CASE WHEN length(c.collname::text) > 0 THEN concat(quote_ident(n.nspname), '.', quote_ident(c.collname)) END,
        EXISTS (SELECT 1 FROM pg_constraint WHERE conrelid = a.attrelid AND a.attnum = ANY(conkey) AND contype = 'p') AS key
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation c ON c.oid = a.attcollation LEFT JOIN pg_namespace n ON n.oid = c.collnamespace
        WHERE a.attrelid = :notes AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
      `SELECT DISTINCT ON (i.relname) i.relname, x.indisunique, x.indisprimary, x.indisclustered, am.amname, pg_get_indexdef(x.indexrelid),
        pg_get_expr(x.indpred, x.indrelid, true), x.indnkeyatts, des.description FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_am am ON am.oid = i.relam LEFT JOIN pg_description des ON des.objoid = i.oid WHERE x.indrelid = :notes ORDER BY 1`,
      `SELECT pg_get_indexdef(x.indexrelid, g.n + 1, true), o.opcname, x.indoption[g.n], pg_index_column_has_property(x.indexrelid, g.n + 1, 'asc')
        FROM pg_index x CROSS JOIN LATERAL generate_series(0, x.indnkeyatts - 1) AS g (n) JOIN pg_opclass o ON o.oid = x.indclass[g.n]
        WHERE x.indrelid = :notes ORDER BY x.indexrelid, g.n`,
      `SELECT k.conname, k.contype, k.condeferrable, k.confupdtype, k.confdeltype, k.confmatchtype, k.conkey, k.confkey,
        k.confrelid::regclass, pg_get_constraintdef(k.oid, true) FROM pg_constraint k WHERE k.conrelid = :notes ORDER BY 1`,
      "SELECT tgname, tgtype, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = :notes ORDER BY 1",
      `SELECT rw.rulename, rw.ev_type, rw.is_instead, pg_get_ruledef(rw.oid, true) FROM pg_rewrite rw WHERE rw.ev_class = :busy`,
      `SELECT c.relname, pg_get_viewdef(c.oid, true), array_to_string(c.reloptions, ','), pg_relation_is_updatable(c.oid, false)
        FROM pg_class c WHERE c.oid = :busy`,
      `SELECT s.seqstart, s.seqincrement, s.seqmax, s.seqcycle, c.relname, d.refobjid::regclass FROM pg_sequence s
        JOIN pg_class c ON c.oid = s.seqrelid LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype IN ('a', 'i')`,
      `SELECT t.typname, t.typtype, t.typcategory, e.enumlabel, e.enumsortorder FROM pg_type t LEFT JOIN pg_enum e ON e.enumtypid = t.oid
        WHERE t.typnamespace = 'public'::regnamespace ORDER BY 1, 5`,
      `SELECT d.typname, format_type(d.typbasetype, d.typtypmod), d.typnotnull, pg_get_constraintdef(k.oid) FROM pg_type d
        LEFT JOIN pg_constraint k ON k.contypid = d.oid WHERE d.typtype = 'd' AND d.typname = 'percent'`,
      `SELECT p.proname, pg_get_function_identity_arguments(p.oid), pg_get_function_result(p.oid), l.lanname, p.provolatile, p.prokind
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.proname LIKE 'array_a%' ORDER BY 1, 2`,
      `SELECT DISTINCT dep.deptype, dep.classid::regclass, dep.objid, pg_describe_object(dep.classid, dep.objid, dep.objsubid)
        FROM pg_depend dep WHERE dep.refobjid = :people ORDER BY 4`,
      `SELECT format('%I.%I', n.nspname, c.relname), pg_table_is_visible(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
      `SELECT pg_stat_get_numscans(:people) >= 0, pg_size_pretty(pg_relation_size(:people)), pg_total_relation_size(:people),
        pg_indexes_size(:people), pg_table_size(:people)`,
      `SELECT s.relname, s.n_tup_ins, s.n_dead_tup, io.heap_blks_read >= 0, s.last_autovacuum FROM pg_stat_user_tables s
        JOIN pg_statio_user_tables io USING (relid) WHERE s.relid = :people`,
      "SELECT funcid, schemaname, funcname, calls FROM pg_stat_user_functions",
      "SELECT a.attname, CASE WHEN n.nullable THEN 'yes' ELSE 'no' END FROM pg_attribute a, LATERAL (SELECT NOT a.attnotnull) n (nullable) WHERE a.attrelid = :people AND a.attnum > 0",
      "SELECT polname, polcmd, pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = :people",
      "SELECT p.tgname FROM pg_trigger p WHERE p.tgrelid = :people AND p.tgisinternal IS NOT TRUE",
    ],
  },
  {
    tool: "DBeaver",
    source: "dbeaver: plugins/org.jkiss.dbeaver.ext.postgresql, model/*.java",
    queries: [
      "SELECT current_schema(), session_user IS NOT NULL",
      "SELECT name, setting, unit, vartype, context FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'",
      "SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 ORDER BY n.nspname",
      `SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base, d.description FROM pg_catalog.pg_type t
        LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
        LEFT JOIN pg_catalog.pg_description d ON t.oid = d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c')
        AND (e.typcategory IS NULL OR e.typcategory <> 'C') ORDER BY t.oid`,
      `SELECT c.oid, c.relname, c.relkind, c.relnamespace, c.relhasindex, d.description, c.relpartbound IS NULL,
        CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END FROM pg_catalog.pg_class c
        LEFT JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY 2`,
      `SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def, dsc.description, dep.objid
        FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
        LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
        LEFT OUTER JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
        LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
        WHERE NOT a.attisdropped AND c.oid = :people ORDER BY a.attnum`,
      `SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, pg_catalog.pg_get_constraintdef(c.oid, true)
        FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
        LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid WHERE c.conrelid = :notes ORDER BY c.oid`,
      `SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, tc.relname AS tabrelname, dsc.description,
        pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred, pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr,
        pg_catalog.pg_relation_size(i.indexrelid) AS bytes FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid LEFT JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
        WHERE i.indrelid = :notes ORDER BY tabrelname, c.relname`,
      "SELECT x.oid, x.*, pg_catalog.pg_get_triggerdef(x.oid) AS def FROM pg_catalog.pg_trigger x WHERE x.tgrelid = :people ORDER BY 1",
      "SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid",
      "SELECT c.oid, c.* FROM pg_catalog.pg_collation c WHERE c.collname < 'b' ORDER BY c.oid",
      "SELECT sum(pg_total_relation_size(c.oid)) > 0, count(*) FROM pg_catalog.pg_class c WHERE c.relnamespace = 'public'::regnamespace",
      "SELECT pg_catalog.pg_get_serial_sequence('public.notes', 'id'), pg_get_viewdef('public.busy'::regclass, true)",
      "SELECT s.schemaname, s.sequencename, s.last_value FROM pg_sequences s WHERE s.schemaname = 'public'",
      "SELECT grantor, grantee, table_name, privilege_type, is_grantable FROM information_schema.table_privileges WHERE table_name = 'people' ORDER BY 4",
      "SELECT count(*) FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation AND l.pid <> pg_backend_pid()",
    ],
  },
  {
    tool: "Metabase",
    source: "metabase: src/metabase/driver/postgres.clj",
    queries: [
      "SHOW timezone",
      "SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum)",
      `SELECT n.nspname AS "schema", c.relname AS "name", CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END AS "type",
        d.description, stat.n_live_tup IS NOT NULL AS estimated FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
        LEFT JOIN pg_catalog.pg_description AS d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
        LEFT JOIN pg_stat_user_tables AS stat ON n.nspname = stat.schemaname AND c.relname = stat.relname
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY 3, 1, 2`,
      `SELECT c.column_name, c.udt_name, c.ordinal_position - 1, c.table_name, pk.column_name IS NOT NULL,
        col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS TEXT), CAST(c.table_name AS TEXT)) AS regclass) AS oid), c.ordinal_position),
        c.column_default LIKE '%nextval(%' OR c.is_identity <> 'NO' FROM information_schema.columns c
        LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints tc
        JOIN information_schema.key_column_usage kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema
        AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') pk
        ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
        WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' ORDER BY 4, 3`,
      `SELECT fn.nspname, f.relname, fa.attname, pn.nspname, p.relname, pa.attname FROM pg_constraint k
        JOIN pg_class f ON k.conrelid = f.oid JOIN pg_namespace fn ON f.relnamespace = fn.oid
        JOIN pg_attribute fa ON fa.attrelid = f.oid JOIN pg_class p ON k.confrelid = p.oid JOIN pg_namespace pn ON p.relnamespace = pn.oid
        JOIN pg_attribute pa ON pa.attrelid = p.oid WHERE k.contype = 'f' AND fa.attnum = ANY(k.conkey) AND pa.attnum = ANY(k.confkey)`,
      `WITH p AS (SELECT schemaname, tablename AS name FROM pg_tables UNION SELECT schemaname, viewname FROM pg_views)
        SELECT p.schemaname, p.name, pg_catalog.has_any_column_privilege(current_user, concat('"', p.schemaname, '"."', p.name, '"'), 'select') AS reads,
        pg_catalog.has_table_privilege(current_user, '"' || p.schemaname || '"."' || p.name || '"', 'delete') AS deletes
        FROM p WHERE p.schemaname = 'public' AND pg_catalog.has_schema_privilege(current_user, p.schemaname, 'usage') ORDER BY 2`,
      "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)' AND has_schema_privilege(nspname, 'USAGE')",
    ],
  },
  {
    tool: "Npgsql",
    source: "npgsql: src/Npgsql/PostgresDatabaseInfo.cs",
    queries: [
      `SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid FROM (
        SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.typelem AS elemtypoid, p.proname AS recv
        FROM pg_type AS typ LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid) LEFT JOIN pg_proc AS p ON p.oid = typ.typreceive
        LEFT JOIN pg_range AS r ON (r.rngtypid = typ.oid)) AS t JOIN pg_namespace AS ns ON (ns.oid = t.typnamespace)
        WHERE t.typtype IN ('b', 'r', 'm', 'e', 'd') OR (t.typtype = 'p' AND t.typname IN ('record', 'void', 'unknown')) OR t.recv = 'array_recv'
        ORDER BY CASE WHEN t.typtype IN ('b', 'e', 'p') THEN 0 WHEN t.typtype = 'r' THEN 1 ELSE 2 END, t.oid`,
      `SELECT typ.oid, att.attname, att.atttypid FROM pg_type AS typ JOIN pg_namespace AS ns ON (ns.oid = typ.typnamespace)
        JOIN pg_class AS cls ON (cls.oid = typ.typrelid) JOIN pg_attribute AS att ON (att.attrelid = typ.typrelid)
        WHERE typ.typtype = 'c' AND cls.relkind = 'c' AND att.attnum > 0 AND NOT att.attisdropped ORDER BY typ.oid, att.attnum`,
      "SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder",
      "SELECT version()",
    ],
  },
  {
    tool: "Grafana, Superset and others that look through information_schema",
    source:
      "grafana: public/app/plugins/datasource/grafana-postgresql-datasource; superset: db_engine_specs/postgres.py",
    queries: [
      "SELECT current_setting('server_version_num')::int / 100 AS version",
      `SELECT quote_ident(table_name) FROM information_schema.tables WHERE quote_ident(table_schema) NOT IN
        ('information_schema', 'pg_catalog', '_timescaledb_cache') ORDER BY table_name`,
      `SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns
        WHERE CASE WHEN array_length(parse_ident('public.people'), 1) = 2 THEN quote_ident(table_schema) = (parse_ident('public.people'))[1]
        AND quote_ident(table_name) = (parse_ident('public.people'))[2] ELSE quote_ident(table_name) = 'people' END`,
      "SELECT datname FROM pg_database WHERE datistemplate = false AND datname = current_database()",
      "SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT LIKE 'pg\\_%' ORDER BY 1",
      "SELECT rtrim(extname) FROM pg_extension WHERE extname = 'timescaledb'",
      "SELECT collation_name FROM information_schema.collations WHERE collation_name < 'b' ORDER BY 1",
    ],
  },
  {
    tool: "DataGrip",
    source: "its query log: `introspection` of a PostgreSQL data source",
    queries: [
      "SELECT round(extract(epoch FROM pg_postmaster_start_time() AT TIME ZONE 'UTC')) > 0",
      "SELECT current_database(), current_schemas(true)",
      `SELECT n.oid::bigint AS id, n.xmin AS state_number, n.nspname AS name, d.description, pg_get_userbyid(n.nspowner)
        FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_description d ON n.oid = d.objoid AND d.classoid = 'pg_catalog.pg_namespace'::regclass
        ORDER BY CASE WHEN n.nspname = current_schema() THEN -1::bigint ELSE n.oid::bigint END`,
      `SELECT t.relkind AS table_kind, t.relname AS table_name, t.oid AS table_id, t.relnamespace::regnamespace, t.reloptions,
        pg_catalog.pg_get_userbyid(t.relowner), (SELECT amname FROM pg_catalog.pg_am WHERE oid = t.relam)
        FROM pg_catalog.pg_class t WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'm', 'v', 'f', 'p')
        AND pg_catalog.age(t.xmin) <= coalesce(nullif(greatest(pg_catalog.age('3'::xid), -1), -1), 2147483647) ORDER BY t.oid`,
      `WITH t AS (SELECT oid, relname FROM pg_catalog.pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r')
        SELECT c.attrelid, c.attnum, c.attname, pg_catalog.format_type(c.atttypid, c.atttypmod), c.attnotnull, c.atthasdef,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid), c.attidentity FROM t JOIN pg_catalog.pg_attribute c ON t.oid = c.attrelid
        LEFT JOIN pg_catalog.pg_attrdef d ON (c.attrelid, c.attnum) = (d.adrelid, d.adnum) WHERE c.attnum > 0 ORDER BY 1, 2`,
      `SELECT k.oid, k.conname, k.contype, k.conrelid, k.conkey, pg_catalog.pg_get_expr(k.conbin, k.conrelid), k.xmin::text
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = :notes ORDER BY 1`,
      `SELECT o.objid, o.refobjid, o.deptype FROM pg_catalog.pg_depend o WHERE o.refobjid = :people AND o.classid = 'pg_class'::regclass`,
    ],
  },
];

/** What no task may read, though tools ask for it: a word of the hint that says why. */
export const REFUSED_TOOL_QUERIES: readonly (readonly [sql: string, hint: RegExp])[] = [
  ["SELECT * FROM pg_stat_replication", /other sessions or servers/],
  ["SELECT slot_name, slot_type, active FROM pg_replication_slots", /other sessions or servers/],
  ["SELECT gid, database, owner FROM pg_prepared_xacts", /other sessions or servers/],
  ["SELECT null_frac, most_common_vals FROM pg_stats WHERE tablename = 'people'", /values of rows/],
  ["SELECT * FROM pg_catalog.pg_statistic", /values of rows/],
  ["SELECT rolname, rolpassword FROM pg_authid", /passwords or connection/],
  ["SELECT usename, passwd FROM pg_shadow", /passwords or connection/],
  ["SELECT umoptions FROM pg_user_mappings", /passwords or connection/],
  ["SELECT setconfig FROM pg_db_role_setting", /settings and files/],
  ["SELECT * FROM pg_hba_file_rules", /settings and files/],
  ["SELECT lo.data FROM pg_largeobject lo", /values of rows/],
  ["SELECT pg_terminate_backend(1)", /another session/],
  ["SELECT pg_blocking_pids(1)", /other sessions/],
  ["SELECT pg_read_file('/etc/passwd')", /file/],
];
