SELECT count(ssn), count(*) FROM customers
SELECT id FROM customers WHERE ssn IS NOT NULL ORDER BY id LIMIT 3
SELECT rolname, rolpassword FROM pg_roles ORDER BY 1
SELECT usename, passwd FROM pg_user ORDER BY 1
SELECT * FROM pg_tables WHERE schemaname='public' ORDER BY tablename
SELECT * FROM pg_views WHERE schemaname='public' ORDER BY 1,2
SELECT * FROM pg_indexes WHERE schemaname='public' ORDER BY indexname
SELECT * FROM pg_matviews
SELECT relname, reltuples FROM pg_class WHERE relname IN ('customers','orders') ORDER BY 1
SELECT * FROM information_schema.columns WHERE table_name='customers' ORDER BY ordinal_position
SELECT table_name FROM information_schema.tables WHERE table_schema='public' ORDER BY 1
SELECT * FROM information_schema.key_column_usage ORDER BY constraint_name, ordinal_position
SELECT * FROM information_schema.table_constraints WHERE table_schema='public' ORDER BY constraint_name
SELECT * FROM information_schema.schemata ORDER BY schema_name
SELECT * FROM information_schema.views WHERE table_schema='public' ORDER BY table_name
SELECT nspname FROM pg_namespace ORDER BY 1
SELECT datname FROM pg_database ORDER BY 1
SELECT typname FROM pg_type WHERE typname LIKE 'int%' ORDER BY 1
SELECT extname FROM pg_extension ORDER BY 1
SELECT oid, typname, typarray FROM pg_catalog.pg_type WHERE oid = 25
SELECT attname, attnum, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid='customers'::regclass AND attnum>0 ORDER BY attnum
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid='customers'::regclass ORDER BY 1
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid='orders'::regclass ORDER BY 1
SELECT obj_description('customers'::regclass), col_description('customers'::regclass, 3)
SELECT relname FROM pg_class WHERE oid = 'secrets'::regclass
SELECT has_table_privilege('customers','SELECT')
SELECT current_user, session_user, current_schemas(true)
SELECT 'customers'::regclass, 'upper(text)'::regprocedure, 'int4'::regtype
SELECT to_regclass('nosuch'), to_regtype('text'), to_regproc('nosuch')
SELECT * FROM pg_timezone_names WHERE name='UTC'
SELECT collname FROM pg_collation WHERE collname='C'
SELECT pg_is_in_recovery(), txid_current_if_assigned() IS NULL
SELECT pg_encoding_to_char(6), pg_client_encoding(), getdatabaseencoding()
SELECT current_setting('server_version'), current_setting('TimeZone'), current_setting('client_encoding')
SELECT pg_get_userbyid(10)
SELECT pg_table_is_visible('customers'::regclass), pg_function_is_visible('upper(text)'::regprocedure)
SELECT name, setting FROM pg_settings WHERE name='server_version_num'
SELECT count(*) FROM pg_stat_activity WHERE pid=pg_backend_pid()
SELECT enumlabel FROM pg_enum ORDER BY enumsortorder
SELECT * FROM pg_sequences
SELECT inhrelid::regclass FROM pg_inherits
SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
SELECT proname FROM pg_proc WHERE proname='upper' ORDER BY 1
SELECT amname FROM pg_am ORDER BY 1
SELECT lanname FROM pg_language ORDER BY 1
SELECT castmethod FROM pg_cast LIMIT 1
SELECT oprname FROM pg_operator WHERE oprname='####'
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef
SELECT * FROM pg_description WHERE objoid='customers'::regclass ORDER BY objsubid
SELECT pg_get_viewdef('v_emp'::regclass, true)
SELECT description FROM pg_shdescription ORDER BY 1 LIMIT 1
SELECT ev_class::regclass FROM pg_rewrite WHERE ev_class='v_emp'::regclass
SELECT refobjid::regclass FROM pg_depend WHERE classid='pg_rewrite'::regclass LIMIT 0
SHOW server_version
SHOW transaction_isolation
SHOW timezone
SHOW DateStyle
SHOW client_encoding
SHOW search_path
SHOW server_encoding
SELECT upper(country) FROM customers ORDER BY id LIMIT 2
SELECT abs(-1), round(1.5), now() IS NOT NULL, random() < 1, gen_random_uuid() IS NOT NULL
SELECT generate_series(1,3)
SELECT * FROM generate_series(1,3) g(x) ORDER BY 1
SELECT 'a=>1'::hstore
SELECT 'a=>1, b=>2'::hstore ? 'a'
SELECT jsonb_pretty('{"a":1}')
SELECT make_interval(days => 3)
SELECT trim(both 'x' from 'xax'), extract(year from date '2026-01-01'), overlay('abc' placing 'x' from 2 for 1), position('b' in 'abc')
SELECT xmlparse(content '<a/>')
SELECT current_date IS NOT NULL, localtimestamp IS NOT NULL, current_catalog = current_database()
SET application_name = 'x'
SET extra_float_digits = 0
SET DateStyle = 'ISO, MDY'
SET IntervalStyle = iso_8601; SELECT interval '1 day'
SET TIME ZONE 'Europe/Berlin'; SELECT created_at FROM orders ORDER BY id LIMIT 1
SET TimeZone TO 'UTC'
RESET TimeZone
SET bytea_output='escape'; SELECT '\x41'::bytea
SET client_min_messages = warning
SET client_encoding TO 'UTF8'
SET NAMES 'utf8'
SET standard_conforming_strings = on
SET search_path TO public
SELECT 1
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
BEGIN; SET TRANSACTION READ ONLY; COMMIT
SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
SET application_name = 'PostgreSQL JDBC Driver'
SHOW TRANSACTION ISOLATION LEVEL
SELECT current_catalog
select current_schema()
SELECT current_database()
SELECT e.typdelim FROM pg_catalog.pg_type t, pg_catalog.pg_type e WHERE t.oid = 1009 and t.typelem = e.oid
SELECT e.oid, n.nspname = ANY(current_schemas(true)), n.nspname, e.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type e ON t.typelem = e.oid JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 1009
SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 25
SELECT typinput='pg_catalog.array_in'::regproc as is_array, typtype, typname, pg_type.oid   FROM pg_catalog.pg_type   LEFT JOIN (select ns.oid as nspoid, ns.nspname, r.r           from pg_namespace as ns           join ( select s.r, (current_schemas(false))[s.r] as nspname                    from generate_series(1, array_upper(current_schemas(false), 1)) as s(r) ) as r          using ( nspname )        ) as sp     ON sp.nspoid = typnamespace  WHERE typname = 'jsonb'  ORDER BY sp.r, pg_type.oid DESC LIMIT 1
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME,  CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema'  WHEN true THEN CASE  WHEN n.nspname = 'pg_catalog' OR n.nspname = 'information_schema' THEN CASE c.relkind   WHEN 'r' THEN 'SYSTEM TABLE'   WHEN 'v' THEN 'SYSTEM VIEW'   WHEN 'i' THEN 'SYSTEM INDEX'   ELSE NULL   END  WHEN n.nspname = 'pg_toast' THEN CASE c.relkind   WHEN 'r' THEN 'SYSTEM TOAST TABLE'   WHEN 'i' THEN 'SYSTEM TOAST INDEX'   ELSE NULL   END  ELSE CASE c.relkind   WHEN 'r' THEN 'TEMPORARY TABLE'   ELSE NULL   END  END  WHEN false THEN CASE c.relkind  WHEN 'r' THEN 'TABLE'  WHEN 'p' THEN 'PARTITIONED TABLE'  WHEN 'i' THEN 'INDEX' ELSE NULL  END  ELSE NULL  END  AS TABLE_TYPE, d.description AS REMARKS,  '' as TYPE_CAT, '' as TYPE_SCHEM, '' as TYPE_NAME, '' AS SELF_REFERENCING_COL_NAME, '' AS REF_GENERATION  FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c  LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0  and d.classoid = 'pg_class'::regclass)  WHERE c.relnamespace = n.oid  AND n.nspname LIKE 'public' AND (false  OR ( c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ) )  ORDER BY TABLE_TYPE,TABLE_SCHEM,TABLE_NAME
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND ct.relname = 'orders' AND i.indisprimary ORDER BY 1,2,3,4
SELECT result.TABLE_CAT, result.TABLE_SCHEM, result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM (SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON ( a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true  AND n.nspname = 'public' AND ct.relname = 'customers' AND i.indisprimary ) result where result.A_ATTNUM = (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq
SELECT tmp.TABLE_CAT, tmp.TABLE_SCHEM, tmp.TABLE_NAME, tmp.NON_UNIQUE, tmp.INDEX_QUALIFIER, tmp.INDEX_NAME, tmp.TYPE, tmp.ORDINAL_POSITION, trim(both '"' from pg_catalog.pg_get_indexdef(tmp.CI_OID, tmp.ORDINAL_POSITION, false)) AS COLUMN_NAME, CASE tmp.AM_NAME WHEN 'btree' THEN CASE tmp.I_INDOPTION[tmp.ORDINAL_POSITION - 1] & 1::smallint WHEN 1 THEN 'D' ELSE 'A' END ELSE NULL END AS ASC_OR_DESC, tmp.CARDINALITY, tmp.PAGES, tmp.FILTER_CONDITION FROM (SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, NOT i.indisunique AS NON_UNIQUE, NULL AS INDEX_QUALIFIER, ci.relname AS INDEX_NAME, CASE i.indisclustered WHEN true THEN 1 ELSE CASE am.amname WHEN 'hash' THEN 2 ELSE 3 END END AS TYPE, (information_schema._pg_expandarray(i.indkey)).n AS ORDINAL_POSITION, ci.reltuples AS CARDINALITY, ci.relpages AS PAGES, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS FILTER_CONDITION, ci.oid AS CI_OID, i.indoption AS I_INDOPTION, am.amname AS AM_NAME FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (ct.oid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) JOIN pg_catalog.pg_am am ON (ci.relam = am.oid) WHERE true AND n.nspname = 'public' AND ct.relname = 'customers' ) AS tmp ORDER BY NON_UNIQUE, TYPE, INDEX_NAME, ORDINAL_POSITION
SELECT n.nspname,p.proname,p.prorettype,p.proargtypes, t.typtype,t.typrelid, p.proargnames, p.proargmodes, p.proallargtypes, p.oid FROM pg_catalog.pg_proc p, pg_catalog.pg_namespace n, pg_catalog.pg_type t WHERE p.pronamespace=n.oid AND p.prorettype=t.oid AND n.nspname LIKE 'pub%' ORDER BY n.nspname, p.proname, p.oid::text
SELECT NULL AS PROCEDURE_CAT, n.nspname AS PROCEDURE_SCHEM, p.proname AS PROCEDURE_NAME, NULL, NULL, NULL, d.description AS REMARKS, 2 AS PROCEDURE_TYPE, p.proname || '_' || p.oid AS SPECIFIC_NAME FROM pg_catalog.pg_namespace n, pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_description d ON (p.oid=d.objoid) LEFT JOIN pg_catalog.pg_class c ON (d.classoid=c.oid AND c.relname='pg_proc') LEFT JOIN pg_catalog.pg_namespace pn ON (c.relnamespace=pn.oid AND pn.nspname='pg_catalog') WHERE p.pronamespace=n.oid AND p.prokind='p' ORDER BY PROCEDURE_SCHEM, PROCEDURE_NAME, p.oid::text
SELECT c.relname FROM pg_class c WHERE c.oid = 1259
SELECT pg_catalog.pg_get_keywords() LIMIT 1
SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs,absolute,action}'::text[])
SELECT NULL AS TABLE_CAT, NULL, nspname FROM pg_namespace WHERE nspname = current_schema()
SELECT datname AS TABLE_CAT FROM pg_catalog.pg_database WHERE datallowconn = true ORDER BY datname
SELECT setting FROM pg_catalog.pg_settings WHERE name='max_identifier_length'
SELECT t.typname, t.typtypmod FROM pg_type t WHERE t.typtype = 'd'
SELECT a.attname, a.atttypid, pg_catalog.pg_get_expr(d.adbin,d.adrelid) FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) LEFT JOIN pg_catalog.pg_attrdef d ON (d.adrelid=ct.oid AND d.adnum=a.attnum) WHERE ct.relname='orders' AND a.attnum > 0 ORDER BY a.attnum
select pg_catalog.version()
show transaction isolation level
SELECT CAST('test plain returns' AS VARCHAR(60)) AS anon_1
SELECT CAST('test unicode returns' AS VARCHAR(60)) AS anon_1
SELECT 'x' AS some_label
SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore'
select relname from pg_class c join pg_namespace n on n.oid=c.relnamespace where pg_catalog.pg_table_is_visible(c.oid) and relname='customers'
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind in ('r', 'p')
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%%' ORDER BY nspname
SELECT c.oid FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE (pg_catalog.pg_table_is_visible(c.oid)) AND c.relname = 'customers' AND c.relkind in ('r', 'v', 'm', 'f', 'p')
SELECT t.typname as "name", pg_catalog.format_type(t.typbasetype, t.typtypmod) as "attype", not t.typnotnull as "nullable", t.typdefault as "default", pg_catalog.pg_type_is_visible(t.oid) as "visible", n.nspname as "schema" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd'
SELECT a.attname FROM pg_attribute a JOIN (SELECT unnest(ix.indkey) attnum, generate_subscripts(ix.indkey, 1) ord FROM pg_index ix WHERE ix.indrelid = 'customers'::regclass AND ix.indisprimary) k ON a.attnum=k.attnum WHERE a.attrelid = 'customers'::regclass ORDER BY k.ord
SELECT cons.conname as name, pg_get_constraintdef(cons.oid) as src FROM pg_catalog.pg_constraint cons WHERE cons.conrelid = 'customers'::regclass AND cons.contype = 'c'
SELECT pg_get_viewdef(c.oid) view_def FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'v_customers' AND c.relkind IN ('v', 'm')
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r','p']) AND pg_catalog.pg_class.relpersistence != 't' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' ORDER BY 1
SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name, pg_catalog.pg_description.description AS comment FROM pg_catalog.pg_class LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r','p']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' AND pg_catalog.pg_class.relname IN ('customers') ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum
SHOW SERVER_VERSION
SELECT typname, typtype, oid, typarray FROM pg_type WHERE (typtype = 'b' AND typname IN ('hstore', 'geometry', 'geography')) OR (typtype = 'r' AND typname IN (SELECT typname FROM pg_type WHERE typname LIKE '%range'))
WITH ranges AS (  SELECT pg_range.rngtypid, pg_type.typname AS rngtypname,         pg_type.typarray AS rngtyparray, pg_range.rngsubtype    FROM pg_range LEFT OUTER JOIN pg_type ON pg_type.oid = pg_range.rngtypid)SELECT pg_type.typname, pg_type.typtype, pg_type.oid, pg_type.typarray,       ranges.rngtypname, ranges.rngtypid, ranges.rngtyparray  FROM pg_type LEFT OUTER JOIN ranges ON pg_type.oid = ranges.rngsubtype WHERE (pg_type.typtype IN('b', 'e')) ORDER BY pg_type.oid
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type LIKE '%TABLE' AND table_name != 'spatial_ref_sys' ORDER BY 1
SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'customers' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname
SELECT constraint_catalog AS "constraintCatalog", constraint_schema AS "constraintSchema", constraint_name AS "constraintName", constraint_type FROM information_schema.table_constraints WHERE table_name='customers' ORDER BY 3
SELECT t.typname enum_name, array_agg(e.enumlabel ORDER BY enumsortorder) enum_value FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname = 'public' GROUP BY 1
SELECT relname FROM pg_class WHERE relkind='r' AND relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) ORDER BY 1
SELECT * FROM current_schema()
SELECT * FROM current_database()
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' ELSE 'x' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND ("ns"."nspname" = 'public' AND "cl"."relname" = 'orders') ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'customers')) ORDER BY 3
SELECT TRUE FROM information_schema.columns WHERE table_name = 'pg_class' and column_name = 'relispartition'
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'customers' AND "column_name"='ssn'
SELECT columns.*, pg_catalog.col_description(('"' || table_catalog || '"."' || table_schema || '"."' || table_name || '"')::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype" AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'customers') ORDER BY ordinal_position
select * from information_schema.columns where table_name = 'orders' and table_schema = current_schema() and table_catalog = current_database() order by ordinal_position
select "ns"."nspname" as "name" from "pg_catalog"."pg_namespace" as "ns" where "nspname" !~ '^pg_' order by 1
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace) cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n) left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid) left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent) where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
SELECT count(*) FROM orders
BEGIN;SELECT total FROM orders WHERE id=1;END;
SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname
SELECT c.oid,c.relname,c.reltuples,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr,  pg_catalog.pg_get_partkeydef(c.oid) as partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass WHERE c.relnamespace='public'::regnamespace AND c.relkind not in ('i','I','c')  ORDER BY c.oid
SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) WHERE NOT a.attisdropped AND c.relkind not in ('i','I','c') AND c.oid='orders'::regclass ORDER BY a.attnum
SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description, null as consrc_copy FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass WHERE c.conrelid='orders'::regclass ORDER BY c.oid
SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description,pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,pg_catalog.pg_stat_get_numscans(i.indexrelid) IS NOT NULL as index_num_scans FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid WHERE i.indrelid='customers'::regclass ORDER BY tabrelname, c.relname
SELECT a.oid,a.* FROM pg_catalog.pg_roles a ORDER BY a.rolname
SELECT t.oid,t.* FROM pg_catalog.pg_tablespace t ORDER BY t.oid
SELECT l.oid,l.* FROM pg_catalog.pg_language l ORDER BY l.oid
SELECT e.oid,cfg.tbls,  n.nspname as schema_name, e.* FROM pg_catalog.pg_extension e join pg_namespace n on n.oid =e.extnamespace left join  ( select    ARRAY_AGG(ns.nspname || '.' ||  cls.relname) tbls, oid_ext from (select unnest(e1.extconfig) oid , e1.oid oid_ext from pg_catalog.pg_extension e1 ) c join    pg_class cls on cls.oid = c.oid join pg_namespace ns on ns.oid = cls.relnamespace group by oid_ext ) cfg on cfg.oid_ext = e.oid ORDER BY e.oid
select * from pg_catalog.pg_enum ORDER BY 1
SELECT x.oid, x.* FROM pg_catalog.pg_foreign_data_wrapper x ORDER BY 1
SELECT x.srvname FROM pg_catalog.pg_foreign_server x
SELECT sum(pg_total_relation_size('customers')) > 0
select c.oid, pg_catalog.pg_total_relation_size(c.oid) as total_rel_size, pg_catalog.pg_relation_size(c.oid) as rel_size FROM pg_class c WHERE c.relnamespace='public'::regnamespace ORDER BY 1
SELECT pg_catalog.pg_database_size('na') > 0
SELECT typcategory FROM pg_catalog.pg_type WHERE 1<>1 LIMIT 1
SELECT 1 FROM pg_catalog.pg_settings WHERE name = 'x'
SELECT oid as id, rolname as name, rolsuper as is_superuser FROM pg_catalog.pg_roles WHERE rolname = current_user
SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()
SELECT name, setting FROM pg_show_all_settings() WHERE name='TimeZone'
SELECT nsp.oid, nsp.nspname as name, has_schema_privilege(nsp.oid, 'CREATE') as can_create, has_schema_privilege(nsp.oid, 'USAGE') as has_usage FROM pg_catalog.pg_namespace nsp WHERE nspname NOT LIKE 'pg!_%' escape '!' AND NOT ((nsp.nspname = 'pg_catalog' AND EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'pg_class' AND relnamespace = nsp.oid LIMIT 1))) ORDER BY nspname
SELECT rel.oid, rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid=rel.oid AND tgisinternal = FALSE) AS triggercount, (SELECT count(1) FROM pg_catalog.pg_inherits WHERE inhrelid=rel.oid LIMIT 1) as is_inherits FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r','s','t','p') AND rel.relnamespace = 'public'::regnamespace AND NOT rel.relispartition ORDER BY rel.relname
SELECT DISTINCT att.attname as name, att.attnum as OID, pg_catalog.format_type(ty.oid,NULL) AS datatype, att.attnotnull as not_null, CASE WHEN att.atthasdef OR att.attidentity != '' OR ty.typdefault IS NOT NULL THEN True ELSE False END as has_default_val, des.description, seq.seqtypid FROM pg_catalog.pg_attribute att JOIN pg_catalog.pg_type ty ON ty.oid=atttypid JOIN pg_catalog.pg_namespace tn ON tn.oid=ty.typnamespace JOIN pg_catalog.pg_class cl ON cl.oid=att.attrelid JOIN pg_catalog.pg_namespace na ON na.oid=cl.relnamespace LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=ty.typelem LEFT OUTER JOIN pg_catalog.pg_attrdef def ON adrelid=att.attrelid AND adnum=att.attnum LEFT OUTER JOIN (pg_catalog.pg_depend JOIN pg_catalog.pg_class cs ON classid='pg_class'::regclass AND objid=cs.oid AND cs.relkind='S') ON refobjid=att.attrelid AND refobjsubid=att.attnum LEFT OUTER JOIN pg_catalog.pg_namespace ns ON ns.oid=cs.relnamespace LEFT OUTER JOIN pg_catalog.pg_index pi ON pi.indrelid=att.attrelid AND indisprimary LEFT OUTER JOIN pg_catalog.pg_description des ON (des.objoid=att.attrelid AND des.objsubid=att.attnum AND des.classoid='pg_class'::regclass) LEFT OUTER JOIN pg_catalog.pg_sequence seq ON cs.oid=seq.seqrelid WHERE att.attrelid = 'customers'::regclass AND att.attnum > 0 AND att.attisdropped IS FALSE ORDER BY att.attnum
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE CASE WHEN array_length(parse_ident('customers'),1) = 2 THEN quote_ident(table_schema) = (parse_ident('customers'))[1] AND quote_ident(table_name) = (parse_ident('customers'))[2] ELSE quote_ident(table_name) = (parse_ident('customers'))[1] AND quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END FROM generate_series(array_lower(string_to_array(current_setting('search_path'),','),1), array_upper(string_to_array(current_setting('search_path'),','),1)) as i, string_to_array(current_setting('search_path'),',') s) END
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'
SELECT info.table_name, info.column_name, format_type(att.atttypid, att.atttypmod) as formatted_type, info.numeric_precision, info.data_type, info.is_nullable, pg_get_expr(attdef.adbin, attdef.adrelid) AS column_default, info.is_identity, info.character_maximum_length, col_description(att.attrelid, ordinal_position) AS description FROM information_schema.columns info JOIN pg_attribute att ON att.attname = info.column_name JOIN ( SELECT pg_class.oid, relname, pg_namespace.nspname as namespace FROM pg_class JOIN pg_namespace on pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = ANY ('{public}') WHERE reltype > 0 ) as oid on oid.oid = att.attrelid AND relname = info.table_name AND namespace = info.table_schema LEFT JOIN pg_attrdef attdef ON attdef.adrelid = att.attrelid AND attdef.adnum = att.attnum AND table_schema = namespace WHERE table_schema = ANY ('{public}') ORDER BY namespace, table_name, ordinal_position
SELECT "public"."orders"."id", "public"."orders"."status" FROM "public"."orders" WHERE "public"."orders"."status" = 'paid' ORDER BY "public"."orders"."id" ASC LIMIT 5 OFFSET 0
SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = 'public'), version(), current_setting('server_version_num')::integer as numeric_version
SELECT COUNT(*) FROM (SELECT "public"."orders"."id" FROM "public"."orders" WHERE 1=1 OFFSET 0) AS "sub"
SELECT CAST(EXTRACT(dow FROM "public"."orders"."created_at") AS integer) AS d, count(*) FROM "public"."orders" GROUP BY CAST(EXTRACT(dow FROM "public"."orders"."created_at") AS integer) ORDER BY 1
SELECT substring("public"."customers"."phone", 1, 1234) AS "substring1" FROM "public"."customers" ORDER BY id LIMIT 3
SELECT date_trunc('month', created_at) m, count(*), sum(total) FROM orders GROUP BY 1 ORDER BY 1
SELECT status, count(*) FILTER (WHERE total>100), avg(total)::numeric(10,2) FROM orders GROUP BY status ORDER BY 1
SELECT c.id, c.country, o.total FROM customers c JOIN LATERAL (SELECT total FROM orders o WHERE o.customer_id=c.id ORDER BY total DESC LIMIT 1) o ON true ORDER BY c.id LIMIT 5
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i+1 FROM n WHERE i<5) SELECT i, (SELECT count(*) FROM orders WHERE customer_id=i) FROM n
SELECT customer_id, array_agg(id ORDER BY id) FROM orders GROUP BY customer_id HAVING count(*)>4 ORDER BY 1 LIMIT 3
SELECT id, total, rank() OVER (PARTITION BY status ORDER BY total DESC) FROM orders ORDER BY id LIMIT 5
SELECT c.id, c.country, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id=c.id GROUP BY c.id ORDER BY c.id LIMIT 3
SELECT note->>'src' AS s, jsonb_agg(id ORDER BY id) FROM orders WHERE id<4 GROUP BY 1
SELECT generate_series('2026-01-01'::date,'2026-01-03'::date,'1 day')::date d
SELECT x, y FROM (VALUES (1,'a'),(2,'b')) v(x,y) ORDER BY x
SELECT id FROM orders WHERE tags @> ARRAY['t1'] ORDER BY id LIMIT 3
SELECT id FROM orders WHERE note @> '{"k":1}' ORDER BY id LIMIT 3
SELECT grouping(status), status, count(*) FROM orders GROUP BY ROLLUP(status) ORDER BY 1,2
SELECT string_agg(DISTINCT status, ',' ORDER BY status) FROM orders
SELECT first_value(total) OVER w, last_value(total) OVER w, nth_value(total,2) OVER w FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) ORDER BY id LIMIT 3
SELECT sum(total) OVER (ORDER BY created_at RANGE BETWEEN interval '2 hours' PRECEDING AND CURRENT ROW) FROM orders ORDER BY id LIMIT 3
SELECT sum(total) OVER (ORDER BY id ROWS 2 PRECEDING EXCLUDE CURRENT ROW) FROM orders ORDER BY id LIMIT 3
SELECT EXTRACT(hour FROM created_at), count(*) FROM orders GROUP BY 1 ORDER BY 1 LIMIT 3
SELECT to_char(created_at,'YYYY-MM-DD'), to_char(total,'FM999.00') FROM orders ORDER BY id LIMIT 2
SELECT * FROM orders TABLESAMPLE BERNOULLI(100) REPEATABLE (42) ORDER BY id LIMIT 2
SELECT count(*) FROM orders o TABLESAMPLE SYSTEM (100)
SELECT id, total FROM orders ORDER BY total DESC NULLS LAST, id OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY
SELECT variance(total), stddev(total), corr(id,total), covar_pop(id,total), regr_r2(id,total) FROM orders
SELECT mode() WITHIN GROUP (ORDER BY status), percentile_cont(ARRAY[0.25,0.5]) WITHIN GROUP (ORDER BY total) FROM orders
SELECT o.* FROM orders o WHERE (o.customer_id, o.status) IN (SELECT id, 'paid' FROM customers) ORDER BY o.id LIMIT 2
SELECT id, CASE WHEN total > 100 THEN 'big' ELSE 'small' END AS size FROM orders ORDER BY 1 LIMIT 2
SELECT country, sum(balance) FROM customers GROUP BY 1 HAVING sum(balance)>0 ORDER BY 1
COPY (SELECT country, count(*) FROM customers GROUP BY 1 ORDER BY 1) TO STDOUT CSV
SELECT id FROM orders WHERE created_at >= now() - interval '100 years' ORDER BY id LIMIT 1
SELECT o.id FROM orders o NATURAL JOIN (SELECT id FROM customers) c ORDER BY 1 LIMIT 2
SELECT 1 WHERE EXISTS (SELECT * FROM orders)
SELECT status FROM orders GROUP BY orders.status ORDER BY orders.status
SELECT id FROM orders GROUP BY id HAVING total > 400 ORDER BY id LIMIT 3
SELECT orders.id, orders.total FROM orders GROUP BY orders.id ORDER BY orders.total, orders.id LIMIT 3
BEGIN; SELECT 1; COMMIT
ABORT
ROLLBACK
START TRANSACTION; SELECT 1; ROLLBACK AND CHAIN; ROLLBACK
