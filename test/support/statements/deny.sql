SELECT record_out(c) FROM customers c WHERE id=1
SELECT leak(c) FROM customers c LIMIT 1
SELECT leak(o) FROM orders o LIMIT 1
SELECT public.leak(c) FROM public.customers c LIMIT 1
SELECT (c).leak FROM customers c LIMIT 1
SELECT o.leak FROM orders o LIMIT 1
SELECT orders.leak FROM orders LIMIT 1
SELECT (SELECT o).leak FROM orders o LIMIT 1
SELECT ((o)).leak FROM orders o LIMIT 1
SELECT (x.o).leak FROM (SELECT o FROM orders o) x LIMIT 1
SELECT id FROM orders o WHERE o.leak LIKE 'tok%'
SELECT id FROM orders o ORDER BY o.leak LIMIT 1
SELECT (ARRAY[o])[1].leak FROM orders o LIMIT 1
SELECT ((ARRAY[o])[1]).leak FROM orders o LIMIT 1
SELECT (ROW(o.*)::orders).leak FROM orders o LIMIT 1
SELECT c.name FROM customers c LIMIT 1
SELECT c.bpchar FROM customers c LIMIT 1
SELECT c.varchar FROM customers c LIMIT 1
SELECT text(c) FROM customers c WHERE id=1
WITH x AS (SELECT * FROM secrets) SELECT 1
WITH x AS (SELECT (SELECT token FROM secrets LIMIT 1)) SELECT * FROM x
WITH secrets AS (SELECT * FROM secrets) SELECT * FROM secrets
WITH x AS (SELECT 1) SELECT * FROM x, secrets
WITH x AS (INSERT INTO orders(id) VALUES (1) RETURNING *) SELECT * FROM x
WITH x AS (UPDATE customers SET country='x' RETURNING email) SELECT * FROM x
WITH x AS (DELETE FROM customers) SELECT 1
SELECT * FROM (WITH secrets AS (SELECT 1 AS z) TABLE secrets) q UNION ALL SELECT id FROM secrets
WITH x AS (SELECT 1) (WITH y AS (SELECT 2) SELECT * FROM secrets)
WITH RECURSIVE t AS (SELECT token FROM secrets UNION ALL SELECT token FROM t) SELECT * FROM t LIMIT 1
WITH a AS (SELECT * FROM b), b AS (SELECT * FROM secrets) SELECT * FROM b
WITH x AS (SELECT 1) DELETE FROM orders USING x
WITH x AS (MERGE INTO orders o USING customers c ON false WHEN NOT MATCHED THEN DO NOTHING RETURNING *) SELECT 1
SELECT (SELECT token FROM secrets WHERE id=o.id) FROM orders o
SELECT id FROM orders WHERE id = (SELECT max(salary) FROM employees)
SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM secrets WHERE token LIKE 'tok%')
SELECT CASE WHEN (SELECT token FROM secrets WHERE id=1) LIKE 'a%' THEN 1 END
SELECT * FROM orders LIMIT (SELECT count(*) FROM employees)
SELECT count(*) FROM orders HAVING (SELECT salary FROM employees WHERE id=1)>5
SELECT count(*) FROM orders GROUP BY (SELECT token FROM secrets WHERE id=1)
SELECT * FROM orders JOIN customers ON (SELECT true FROM secrets LIMIT 1)
SELECT * FROM generate_series(1,(SELECT count(*)::int FROM secrets))
SELECT ARRAY(SELECT token FROM secrets)
SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM secrets)) FROM orders
SELECT sum(id) OVER (ROWS BETWEEN (SELECT 1 FROM secrets LIMIT 1) PRECEDING AND CURRENT ROW) FROM orders
SELECT * FROM orders o, LATERAL (SELECT token FROM secrets s WHERE s.id=o.id) x
SELECT DISTINCT ON ((SELECT token FROM secrets WHERE id=1)) id FROM orders
SELECT string_agg(status, (SELECT token FROM secrets WHERE id=1)) FROM orders
SELECT 1 WHERE 1 IN (TABLE secrets)
SELECT COALESCE(NULL, (SELECT token FROM secrets LIMIT 1))
SELECT f FROM unnest((SELECT array_agg(token) FROM secrets)) f
VALUES (1),((SELECT salary FROM employees LIMIT 1))
TABLE secrets
TABLE public.employees
SELECT id FROM orders UNION SELECT id FROM secrets
SELECT id FROM orders EXCEPT (SELECT salary FROM employees)
(SELECT id FROM orders) INTERSECT ALL (TABLE employees)
SELECT json_query('{}' , '$' PASSING (SELECT token FROM secrets LIMIT 1) AS x)
SELECT JSON_ARRAY(SELECT token FROM secrets)
SELECT JSON_OBJECT('a': (SELECT token FROM secrets LIMIT 1))
SELECT * FROM JSON_TABLE((SELECT to_jsonb(token) FROM secrets LIMIT 1), '$' COLUMNS (a text PATH '$')) x
SELECT * FROM orders NATURAL JOIN secrets
SELECT o.id FROM orders o LEFT JOIN employees e ON e.id=o.id
SELECT * FROM customers c JOIN LATERAL (SELECT * FROM employees e WHERE e.id=c.id) x ON true
SELECT 1 FROM orders CROSS JOIN secrets
SELECT set_config('wicket.'||ssn,'x',false) FROM customers WHERE id=1
SELECT txid_status(length(ssn)+1000000) FROM customers WHERE id=1
SELECT nosuch(ssn) FROM customers
SELECT id FROM customers WHERE
COPY customers (email, email) TO STDOUT
COPY secrets (token) TO STDOUT
COPY (SELECT token FROM secrets) TO STDOUT
COPY (SELECT 1) TO '/tmp/x'
COPY (SELECT 1) TO PROGRAM 'id'
COPY orders TO PROGRAM 'cat > /tmp/x'
COPY orders FROM '/etc/passwd'
COPY customers FROM STDIN
COPY orders (id) FROM STDIN CSV
COPY employees FROM STDIN
COPY (INSERT INTO orders(id) VALUES (5) RETURNING id) TO STDOUT
COPY (UPDATE orders SET status='x' RETURNING id) TO STDOUT
COPY (DELETE FROM orders RETURNING id) TO STDOUT
COPY v_customers TO STDOUT
COPY mv_pii TO STDOUT
COPY customers_old TO STDOUT
COPY pg_authid TO STDOUT
COPY (SELECT * FROM pg_shadow) TO STDOUT
COPY (SELECT get_ssn(1)) TO STDOUT
COPY orders TO STDOUT (ENCODING 'LATIN1')
COPY evil.orders TO STDOUT
COPY app.customers TO STDOUT
INSERT INTO orders VALUES (1000)
INSERT INTO orders SELECT * FROM orders
INSERT INTO orders(id,status) SELECT id, token FROM secrets
UPDATE orders SET status=(SELECT token FROM secrets LIMIT 1)
UPDATE customers SET email=ssn
UPDATE customers SET ssn='x' WHERE ssn LIKE '0%'
DELETE FROM customers WHERE ssn LIKE '078%'
DELETE FROM orders
DELETE FROM orders RETURNING *
TRUNCATE orders
TRUNCATE orders, customers CASCADE
INSERT INTO customers DEFAULT VALUES
INSERT INTO orders(id) VALUES (1) ON CONFLICT DO NOTHING
INSERT INTO orders(id) VALUES (1) ON CONFLICT (id) DO UPDATE SET status=excluded.status RETURNING status
MERGE INTO orders USING customers ON false WHEN NOT MATCHED THEN INSERT (id) VALUES (9)
MERGE INTO customers c USING orders o ON o.id=c.id WHEN MATCHED THEN DELETE
SELECT * INTO x FROM customers
SELECT ssn INTO TEMP x FROM customers
CREATE TABLE x AS SELECT * FROM customers
CREATE TABLE x AS TABLE customers
CREATE TEMPORARY TABLE x (LIKE customers)
CREATE TABLE x (a int)
CREATE UNLOGGED TABLE x AS SELECT 1
SELECT id FROM customers FOR SHARE
SELECT id FROM orders FOR NO KEY UPDATE
SELECT id FROM orders FOR KEY SHARE OF orders NOWAIT
SELECT * FROM (SELECT id FROM customers FOR UPDATE) x
WITH x AS (SELECT id FROM orders FOR UPDATE) SELECT * FROM x
UPDATE orders SET status='x' WHERE CURRENT OF c1
INSERT INTO v_customers(id,email) VALUES (1,'x')
UPDATE v_customers SET email='x'
INSERT INTO pg_class SELECT * FROM pg_class
UPDATE pg_authid SET rolsuper=true
DELETE FROM pg_largeobject
INSERT INTO secrets VALUES (3,'x')
BEGIN; DECLARE c CURSOR FOR SELECT * FROM secrets; FETCH c; COMMIT
DECLARE c CURSOR WITH HOLD FOR SELECT token FROM secrets
FETCH ALL FROM rc
MOVE ALL IN rc
FETCH NEXT FROM ""
BEGIN; DECLARE c CURSOR FOR SELECT id FROM customers FOR UPDATE; COMMIT
PREPARE p AS UPDATE orders SET status='x'
PREPARE p AS INSERT INTO orders(id) VALUES (1)
PREPARE p AS SELECT token FROM secrets WHERE id=$1
PREPARE p AS SELECT get_ssn($1)
EXECUTE p((SELECT max(salary) FROM employees))
EXECUTE p(get_ssn(1))
CREATE TABLE y AS EXECUTE p
EXPLAIN ANALYZE EXECUTE p
PREPARE p AS MERGE INTO orders o USING secrets s ON o.id=s.id WHEN MATCHED THEN DELETE
PREPARE TRANSACTION 'a'
COMMIT PREPARED 'a'
ROLLBACK PREPARED 'a'
BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE
START TRANSACTION READ WRITE
SET TRANSACTION READ WRITE
SET TRANSACTION SNAPSHOT 'x'
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
SET transaction_read_only=off
SELECT * FROM v_customers
SELECT id FROM public.v_customers
SELECT * FROM v_emp
SELECT id, email FROM mv_pii
SELECT * FROM public.customers_old
SELECT * FROM ft_secrets
SELECT * FROM evil.orders
SELECT app.customers.email FROM app.customers
TABLE v_customers
SELECT * FROM orders JOIN v_emp USING (id)
SELECT * FROM ONLY secrets
SELECT * FROM secrets *
SELECT * FROM "Secrets"
SELECT * FROM "secrets"
EXPLAIN SELECT * FROM secrets
EXPLAIN ANALYZE SELECT * FROM employees WHERE salary > 5
EXPLAIN ANALYZE UPDATE orders SET status='x'
EXPLAIN DELETE FROM orders
EXPLAIN ANALYZE INSERT INTO orders(id) VALUES (7777)
EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1
EXPLAIN ANALYZE SELECT get_ssn(1)
EXPLAIN (ANALYZE) SELECT pg_sleep(1)
EXPLAIN ANALYZE EXECUTE p1
EXPLAIN CREATE MATERIALIZED VIEW m AS SELECT * FROM secrets
EXPLAIN REFRESH MATERIALIZED VIEW mv_pii
EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT 1
SELECT * FROM pg_stats
SELECT * FROM pg_stats_ext
SELECT * FROM pg_stats_ext_exprs
SELECT * FROM pg_statistic
SELECT * FROM pg_catalog.pg_statistic_ext_data
SELECT * FROM pg_authid
SELECT * FROM pg_shadow
SELECT * FROM pg_user_mapping
SELECT * FROM pg_user_mappings
SELECT * FROM pg_largeobject
SELECT * FROM pg_db_role_setting
SELECT * FROM pg_hba_file_rules
SELECT * FROM pg_ident_file_mappings
SELECT * FROM pg_file_settings
SELECT * FROM pg_prepared_statements
SELECT * FROM pg_cursors
SELECT * FROM pg_stat_statements
SELECT * FROM pg_replication_slots
SELECT * FROM pg_stat_replication
SELECT * FROM pg_stat_wal_receiver
SELECT * FROM pg_config
SELECT * FROM pg_shmem_allocations
SELECT * FROM pg_backend_memory_contexts
SELECT * FROM pg_prepared_xacts
SELECT * FROM pg_replication_origin
SELECT * FROM pg_replication_origin_status
SELECT * FROM information_schema.user_mappings
SELECT * FROM information_schema.user_mapping_options
SELECT * FROM information_schema.foreign_server_options
SELECT * FROM information_schema.foreign_table_options
SELECT * FROM information_schema.column_options
SELECT * FROM pg_stat_progress_copy
SELECT * FROM pg_toast.pg_toast_1255
SELECT * FROM pg_stat_subscription
SELECT * FROM pg_stat_progress_analyze
SELECT * FROM information_schema._pg_foreign_servers
SELECT umoptions FROM pg_user_mapping
SELECT stxdmcv FROM pg_statistic_ext_data
SELECT most_common_vals::text FROM pg_stats
SELECT n_distinct FROM pg_stats WHERE tablename='customers'
SELECT stavalues1 FROM pg_statistic
SELECT null_frac FROM pg_catalog.pg_stats
SELECT statement FROM pg_prepared_statements
SELECT * FROM pg_get_multixact_members('1')
SELECT passwd FROM pg_shadow
SELECT setconfig FROM pg_db_role_setting
SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname=current_user
SELECT srvoptions, umoptions FROM pg_user_mappings JOIN pg_foreign_server USING (srvname)
SELECT data FROM pg_largeobject WHERE loid=424242
SELECT public.get_ssn(1)
SELECT get_ssn(id) FROM customers LIMIT 1
SELECT dyn('x')
SELECT ref()
SELECT schema_to_xml('public',true,false,'')
SELECT table_to_xmlschema('customers',true,false,'')
SELECT query_to_xml_and_xmlschema('SELECT * FROM secrets',true,false,'')
SELECT cursor_to_xml('c',1,true,false,'')
SELECT table_to_xml_and_xmlschema('secrets',true,false,'')
SELECT schema_to_xmlschema('public',true,false,'')
SELECT query_to_xmlschema('SELECT 1',true,false,'')
SELECT database_to_xmlschema(true,false,'')
SELECT ts_stat('SELECT to_tsvector(token) FROM secrets')
SELECT ts_stat('x') FROM orders
SELECT ts_rewrite('a'::tsquery, 'select 1')
SELECT crosstab('SELECT 1,2,3')
SELECT crosstab_hash('a','b')
SELECT normal_rand(1,1,1)
SELECT dblink_connect('dbname=na')
SELECT dblink_exec('dbname=na','select 1')
SELECT dblink_send_query('a','b')
SELECT pg_read_binary_file('PG_VERSION')
SELECT pg_ls_dir('.')
SELECT pg_ls_logdir()
SELECT pg_ls_waldir()
SELECT pg_ls_tmpdir()
SELECT pg_stat_file('PG_VERSION')
SELECT pg_current_logfile()
SELECT lo_get(424242)
SELECT loread(1,1)
SELECT lo_open(424242, 262144)
SELECT lo_creat(-1)
SELECT lo_create(5)
SELECT lo_put(424242,0,'a')
SELECT lo_from_bytea(0,'a')
SELECT lo_unlink(424242)
SELECT page_header(get_raw_page('secrets',0))
SELECT heap_page_items(get_raw_page('secrets',0))
SELECT bt_page_stats('customers_ssn_idx',1)
SELECT bt_metap('customers_ssn_idx')
SELECT brin_page_type('a')
SELECT pgstattuple('secrets')
SELECT pgstatindex('customers_ssn_idx')
SELECT pg_relpages('secrets')
SELECT pg_switch_wal()
SELECT pg_create_restore_point('x')
SELECT pg_create_logical_replication_slot('a','pgoutput')
SELECT pg_logical_slot_get_changes('a',NULL,NULL)
SELECT pg_replication_origin_create('a')
SELECT pg_export_snapshot()
SELECT pg_promote()
SELECT pg_rotate_logfile()
SELECT pg_stat_reset()
SELECT pg_stat_get_activity(NULL)
SELECT pg_stat_get_backend_activity(1)
SELECT pg_stat_get_backend_idset()
SELECT pg_advisory_lock(1)
SELECT pg_try_advisory_lock(1)
SELECT pg_advisory_xact_lock(1)
SELECT pg_sleep(0)
SELECT pg_sleep_for('1s')
SELECT pg_sleep_until(now())
SELECT currval('x')
SELECT lastval()
SELECT nextval('x')
SELECT setval('x',1)
SELECT set_config('role','postgres',false)
SELECT set_config('session_authorization','postgres',true)
SELECT set_config('row_security','off',false)
SELECT set_config('default_transaction_read_only','off',false)
SELECT set_config('transaction_read_only','off',true)
SELECT set_config('search' || '_path','evil',false)
SELECT set_config(email,'x',false) FROM customers
SELECT set_config('standard_conforming_strings','off',false)
SELECT set_config('client_encoding','SJIS',false)
SELECT current_setting('data_directory')
SELECT current_setting('wicket.token_i',true)
SELECT current_setting(ssn) FROM customers
SELECT pg_show_all_file_settings()
SELECT pg_hba_file_rules()
SELECT pg_get_functiondef('leak'::regproc)
SELECT pg_get_function_sqlbody(1)
SELECT pg_reload_conf()
SELECT pg_import_system_collations('pg_catalog')
SELECT binary_upgrade_set_next_pg_type_oid(1)
SELECT pg_notification_queue_usage()
SELECT pg_listening_channels()
SELECT pg_notify('a','b')
SELECT pg_cancel_backend(pg_backend_pid())
SELECT pg_log_backend_memory_contexts(1)
SELECT pg_wal_replay_pause()
SELECT pg_backup_start('x')
SELECT gin_clean_pending_list('x')
SELECT brin_summarize_new_values('x')
SELECT pg_stat_reset_shared('bgwriter')
SELECT pg_relation_filepath('secrets')
SELECT lo_export(424242,'/tmp/y')
SELECT xpath_table('id','token','secrets','/','true')
SELECT xslt_process('a','b')
SELECT file_fdw_handler()
SELECT postgres_fdw_get_connections()
SELECT postgres_fdw_disconnect_all()
SELECT evil.lower('x')
SELECT op_leak(1,2)
SELECT mood_leak('ok')
SELECT agg_leak(status) FROM orders
SELECT public.upper('x')
SELECT snoop('a')
SELECT snoop(ssn) FROM customers
SELECT pg_mcv_list_items(stxdmcv) FROM pg_statistic_ext_data
SELECT pg_catalog.pg_read_file('PG_VERSION')
SELECT "pg_read_file"('PG_VERSION')
SELECT pg_catalog."pg_sleep"(1)
SELECT u&"\0070g_read_file"('PG_VERSION')
SELECT (SELECT pg_read_file('PG_VERSION'))
SELECT coalesce(pg_read_file('PG_VERSION'))
SELECT hstore_to_json(hstore('a',get_ssn(1)))
SELECT populate_record(NULL::secrets,'a=>1')
SELECT hstore(s) FROM secrets s
SELECT akeys(hstore(c)) FROM customers c
SELECT each(hstore(c)) FROM customers c
SELECT to_json(s) FROM secrets s
SELECT row_to_json(secrets) FROM secrets
SELECT jsonb_populate_record(NULL::secrets,'{}')
SELECT json_populate_recordset(NULL::customers,'[]')
SELECT pg_current_xact_id()
SELECT txid_current()
SELECT pg_start_backup('x')
SELECT suppress_redundant_updates_trigger()
SELECT pg_event_trigger_ddl_commands()
SELECT pg_nextoid('pg_class','oid','pg_class_oid_index')
SELECT pg_stop_making_pinned_objects()
SELECT dblink_get_connections()
SELECT dblink('x','y')
SELECT query_to_xml('SELECT 1',true,true,'')::text
SELECT * FROM dblink('host=127.0.0.1 dbname=na','SELECT 1') t(a int)
SELECT * FROM crosstab('select 1,2,3') AS t(a int, b int)
SELECT * FROM get_ssn(1)
SELECT * FROM ROWS FROM (get_ssn(1), generate_series(1,2)) x
SELECT x FROM customers, LATERAL get_ssn(customers.id) x
SELECT id FROM orders WHERE status = get_ssn(1)
SELECT id FROM orders ORDER BY leak(orders)
SELECT count(*) FILTER (WHERE snoop(status)) FROM orders
SELECT * FROM orders TABLESAMPLE system(get_ssn(1)::int)
SELECT * FROM orders TABLESAMPLE public.foo(1)
SELECT CAST('ok' AS public.mood)::text
SELECT 'ok'::mood::text
SELECT mood 'ok'
SELECT ARRAY['ok']::mood[]
SELECT NULL::customers
SELECT NULL::public.secrets
SELECT ROW(1,'x')::secrets
SELECT (1,'x')::public.secrets
SELECT '(1,x)'::secrets
SELECT jsonb_populate_recordset(NULL::public.secrets, '[]')
SELECT 1 #### 2
SELECT id #### customer_id FROM orders
SELECT id FROM orders ORDER BY id USING OPERATOR(public.####)
SELECT 1 = ANY (SELECT 1 OPERATOR(public.####) 2)
SELECT 'a' OPERATOR(evil.+) 'b'
SELECT id FROM orders WHERE id OPERATOR(public.####) ALL (ARRAY[1])
SET ROLE NONE
SET ROLE pg_read_all_data
SET LOCAL ROLE postgres
SET SESSION AUTHORIZATION DEFAULT
RESET SESSION AUTHORIZATION
RESET ALL
DISCARD TEMP
DISCARD SEQUENCES
DISCARD PLANS
SET search_path TO evil, public
SET search_path = ''
SET search_path TO DEFAULT, evil
SET SESSION search_path = 'evil'
SET schema 'evil'
SET NAMES 'SJIS'
SET client_encoding = 'LATIN1'
SET session_preload_libraries='x'
SET log_statement='none'
SET log_min_messages=debug5
SET debug_print_plan=on
SET statement_timeout=0
SET lock_timeout=0
SET idle_in_transaction_session_timeout=0
SET work_mem='10GB'
SET temp_file_limit=-1
SET force_parallel_mode=on
SET synchronous_commit=off
SET session_replication_role=replica
SET check_function_bodies=off
SET backslash_quote=on
SET transform_null_equals=on
SET zero_damaged_pages=on
SET allow_system_table_mods=on
SET ignore_system_indexes=on
SET wicket.x='1'
SET wicket.p_customer='5'
SET my.var='x'
SET dynamic_library_path='/tmp'
SET temp_tablespaces=''
SET restrict_nonsystem_relation_kind=''
SET plpgsql.extra_warnings='all'
SET role = 'postgres'
SET "role" = postgres
SET LOCAL "session_authorization" = 'postgres'
SET TimeZone='UTC'; SET search_path=evil
SHOW config_file
SHOW data_directory
SHOW ident_file
SHOW wicket.token_i
SHOW ssl_key_file
SHOW primary_conninfo
SHOW archive_command
SHOW krb_server_keyfile
SET ROLE TO 'postgres'
SELECT set_config('role', current_user, false)
BEGIN; SET TRANSACTION READ WRITE; COMMIT
BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE
ALTER ROLE postgres SET search_path=evil
ALTER DATABASE na SET row_security=off
LOAD 'x'
SELECT/* comment */token FROM/**/secrets
SELECT token FROM "secrets" -- x
SELECT 1;;SELECT * FROM employees;
select * from public . secrets
SELECT * FROM "public" . "secrets"
SELECT $$'$$, token FROM secrets
SELECT 'a''b', token FROM secrets
SELECT E'a\'b', token FROM secrets
SELECT U&'\0041', token FROM secrets
SELECT B'01', X'1F', token FROM secrets
SELECT /* /* */ */ token FROM secrets
SELECT token FROM u&"secrets"
SELECT token FROM U&"s!0065crets" UESCAPE '!'
SELECT token FROM SeCrEtS
SELECT $tag$ $$ $tag$, token FROM secrets
SELECT 1 AS "; --", token FROM secrets
SELECT '--', token FROM secrets
SELECT '/*', token FROM secrets --*/
SELECT 'ä', token FROM secrets
SELECT token FROM secrets;SELECT 1
BEGIN;SELECT token FROM secrets;COMMIT
DO 'BEGIN END'
DO LANGUAGE plpgsql $$ BEGIN PERFORM 1; END $$
CALL proc()
CALL public.proc()
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'
CREATE VIEW v9 AS SELECT * FROM secrets
CREATE TEMP VIEW v9 AS SELECT * FROM customers
CREATE RULE r9 AS ON SELECT TO orders DO INSTEAD SELECT * FROM secrets
CREATE POLICY p ON customers USING (true)
ALTER TABLE customers DISABLE ROW LEVEL SECURITY
ALTER TABLE secrets RENAME TO s2
ALTER TABLE orders RENAME COLUMN note TO x
ALTER FUNCTION leak(public.orders) OWNER TO postgres
DROP TABLE secrets
DROP SCHEMA public CASCADE
DROP FUNCTION get_ssn(int)
CREATE SCHEMA s9
CREATE EXTENSION adminpack
DROP EXTENSION hstore
CREATE INDEX i9 ON customers (ssn)
REINDEX TABLE customers
ANALYZE
ANALYZE customers(ssn)
VACUUM
VACUUM FULL customers
CLUSTER
CHECKPOINT
COMMENT ON TABLE customers IS 'x'
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC
REVOKE ALL ON customers FROM postgres
CREATE USER u9
ALTER USER postgres PASSWORD 'x'
ALTER ROLE postgres SUPERUSER
DROP ROLE u9
REASSIGN OWNED BY postgres TO postgres
CREATE DATABASE d9
DROP DATABASE nb
ALTER DATABASE na OWNER TO postgres
CREATE TABLESPACE t LOCATION '/tmp'
CREATE PUBLICATION p FOR ALL TABLES
DROP SUBSCRIPTION s
CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION x()
CREATE AGGREGATE a9(int) (sfunc=int4pl, stype=int)
CREATE OPERATOR +++ (leftarg=int,rightarg=int,function=int4pl)
CREATE TYPE t9 AS (a int)
CREATE DOMAIN d9 AS text
CREATE SEQUENCE s9
ALTER SEQUENCE s9 RESTART
CREATE COLLATION c9 FROM "C"
CREATE CONVERSION c9 FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1
CREATE LANGUAGE plx HANDLER plpgsql_call_handler
CREATE TRANSFORM FOR hstore LANGUAGE plpgsql (FROM SQL WITH FUNCTION x(internal))
CREATE TEXT SEARCH CONFIGURATION c9 (COPY=simple)
CREATE ACCESS METHOD a9 TYPE INDEX HANDLER bthandler
CREATE FOREIGN TABLE f9 (a int) SERVER loop
CREATE USER MAPPING FOR PUBLIC SERVER loop
ALTER USER MAPPING FOR postgres SERVER loop OPTIONS (SET password 'x')
ALTER SERVER loop OPTIONS (SET host 'x')
IMPORT FOREIGN SCHEMA public FROM SERVER loop INTO evil
SECURITY LABEL ON COLUMN customers.ssn IS NULL
LISTEN c
NOTIFY c, 'x'
LOCK TABLE orders
LOCK orders IN ACCESS SHARE MODE
SET CONSTRAINTS ALL IMMEDIATE
ALTER SYSTEM RESET ALL
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC
ALTER TYPE mood ADD VALUE 'x'
ALTER EXTENSION hstore UPDATE
ALTER STATISTICS s SET STATISTICS 1
DROP STATISTICS s
DROP OWNED BY postgres
CREATE OPERATOR CLASS oc FOR TYPE int USING btree AS OPERATOR 1 <
ALTER MATERIALIZED VIEW mv_pii RENAME TO x
ALTER LARGE OBJECT 424242 OWNER TO postgres
CREATE GROUP g9
LOAD 'auto_explain'
UNLISTEN c
CREATE CONSTRAINT TRIGGER t AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION x()
SELECT * FROM xpath_table('id','token','secrets','/a','true') AS t(a int, b text)
SELECT * FROM crosstab('SELECT id, token, token FROM secrets') AS t(a int, b text)
SELECT * FROM pgstattuple('secrets')
SELECT loread(lo_open(424242, 262144), 100)
SELECT pg_stat_file('postgresql.conf')
SELECT query_to_xmlschema('SELECT 1', true, true, '')
SELECT cursor_to_xml('c', 1, true, true, '')
SELECT schema_to_xml('public', true, true, '')
SELECT * FROM ts_stat('SELECT to_tsvector(token) FROM secrets')
SELECT pg_control_system()
SELECT * FROM pg_cursor()
SELECT * FROM pg_prepared_statement()
SELECT * FROM pg_lock_status()
SELECT pg_stat_get_backend_activity(s) FROM pg_stat_get_backend_idset() s
SELECT hstore(c) FROM customers c
SELECT public.hstore('a','b')
SELECT dblink_connect('x')
SELECT xpath_string('<a>1</a>','/a')
SELECT lo_oid(424242)
SELECT 'ok'::mood
SELECT CAST('ok' AS public.mood)
SELECT NULL::orders
SELECT ('(1,a,b,c,US,1)'::customers).ssn
SELECT ROW(1,2)::secrets
SELECT * FROM json_populate_record(NULL::secrets, '{"token":1}')
SELECT o.leak, o.* FROM orders o
SELECT (o.*).leak FROM orders o
SELECT leak(o) FROM orders o
SELECT x.leak FROM (SELECT o FROM orders o) AS x
SELECT (x).leak FROM (SELECT o AS x FROM orders o) q
SELECT ((x)).leak FROM (SELECT o AS x FROM orders o) q
SELECT (array_agg(o))[1].leak FROM orders o
SELECT x.get_ssn FROM generate_series(1,2) AS x
SELECT (id).get_ssn FROM orders
SELECT id.get_ssn FROM orders id
SELECT (1).pg_sleep
SELECT x.pg_sleep FROM generate_series(1,2) x
SELECT ('x'::text).query_to_xml
SELECT * FROM na.public.secrets
SELECT * FROM nb.public.customers
TABLE ONLY secrets
SELECT * FROM ONLY (secrets)
SELECT * FROM (TABLE secrets) x
SELECT * FROM pg_toast.pg_toast_2619
SELECT * FROM pg_statistic_ext_data
SELECT data FROM pg_largeobject
SELECT stxdndistinct FROM pg_statistic_ext_data
SELECT id FROM orders WHERE id = get_ssn(1)::int
SELECT id FROM orders ORDER BY get_ssn(id)
SELECT id FROM orders LIMIT (SELECT salary FROM employees LIMIT 1)
SELECT CASE WHEN EXISTS (SELECT 1 FROM secrets WHERE token LIKE 't%') THEN 1 END
SELECT string_agg(status, (SELECT token FROM secrets LIMIT 1)) FROM orders
SELECT sum(id) OVER (ORDER BY id ROWS (SELECT salary FROM employees LIMIT 1) PRECEDING) FROM orders
SELECT * FROM orders o JOIN LATERAL (SELECT token FROM secrets) s ON true
SELECT * FROM generate_series(1, (SELECT max(salary) FROM employees))
SELECT GROUPING(id) FROM secrets GROUP BY id
SELECT * FROM orders WHERE note @? (SELECT token::jsonpath FROM secrets)
SELECT JSON_QUERY(note, '$' PASSING (SELECT token FROM secrets LIMIT 1) AS x) FROM orders
SELECT * FROM JSON_TABLE((SELECT to_jsonb(token) FROM secrets LIMIT 1), '$' COLUMNS (a text PATH '$')) j
SELECT JSON_VALUE('1', '$' DEFAULT (SELECT token FROM secrets LIMIT 1) ON EMPTY)
SELECT xmlelement(name a, xmlattributes((SELECT token FROM secrets LIMIT 1) AS b))
SELECT ARRAY(TABLE secrets)
SELECT id IN (SELECT id FROM secrets) FROM orders
(SELECT 1) UNION (TABLE secrets)
WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT n+1 FROM a, secrets) SELECT * FROM a
WITH x AS (INSERT INTO orders(id) VALUES (1) RETURNING id) SELECT 1
WITH x AS (MERGE INTO orders o USING customers c ON false WHEN NOT MATCHED THEN INSERT (id) VALUES (1) RETURNING o.id) SELECT 1
SELECT * INTO TEMP x FROM customers
SELECT * INTO x FROM orders
CREATE TEMP TABLE t AS SELECT 1
CREATE TEMP TABLE t (a int)
CREATE TEMP VIEW v AS SELECT 1
CREATE TEMP SEQUENCE s
CREATE TABLE IF NOT EXISTS t AS TABLE customers
DROP TABLE orders
ALTER TABLE orders RENAME TO x
COMMENT ON TABLE orders IS 'x'
ANALYZE orders
REINDEX TABLE orders
EXECUTE p; DROP TABLE orders
GRANT postgres TO x
REASSIGN OWNED BY a TO b
CREATE POLICY p ON orders
CREATE RULE r AS ON SELECT TO orders DO INSTEAD SELECT 1
CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()
ALTER DATABASE na SET work_mem = 1
CREATE EXTENSION file_fdw
CREATE OPERATOR = (LEFTARG=int, RIGHTARG=int, FUNCTION=op_leak)
CREATE AGGREGATE a(int) (SFUNC=int4pl, STYPE=int)
CREATE DOMAIN d AS int CHECK (value > (SELECT 1))
CREATE TYPE t AS (a int)
ALTER FUNCTION upper(varchar) SECURITY DEFINER
SECURITY LABEL ON COLUMN customers.ssn IS 'x'
SELECT 1 FROM customers FOR SHARE
SELECT 1 FROM customers FOR NO KEY UPDATE SKIP LOCKED
SELECT * FROM customers c, orders o FOR KEY SHARE OF o
UPDATE orders SET status = 'x' WHERE false
DELETE FROM customers WHERE ssn = 'x'
MERGE INTO customers c USING orders o ON c.id=o.id WHEN MATCHED THEN DO NOTHING
INSERT INTO orders DEFAULT VALUES
SELECT nextval('s')
SELECT currval('s')
SELECT setval('s',1)
SELECT pg_sequence_last_value('s'::regclass)
COPY (DELETE FROM orders RETURNING *) TO STDOUT
COPY (SELECT * FROM secrets) TO STDOUT
COPY (SELECT 1) TO PROGRAM 'cat > /tmp/x'
COPY orders TO '/tmp/x'
COPY (SELECT pg_read_file('x')) TO STDOUT
BEGIN; DECLARE c CURSOR FOR SELECT * FROM secrets; FETCH c; ROLLBACK
FETCH 1 FROM nope
MOVE ALL FROM nope
PREPARE p(int) AS SELECT email FROM customers WHERE id = $1; EXECUTE p((SELECT salary FROM employees LIMIT 1))
PREPARE p(secrets) AS SELECT 1
PREPARE p AS UPDATE orders SET status='x'; EXECUTE p
EXPLAIN CREATE TABLE x AS SELECT 1
EXPLAIN DECLARE c CURSOR FOR SELECT 1
SELECT current_setting('wicket.token_i', true)
SELECT current_setting('hba_file')
SET wicket.token_i = 'x'
SET wicket.p_customer = '2'
DISCARD ALL
SET SESSION AUTHORIZATION postgres
SET session_replication_role = replica
SET statement_timeout = 0
SET lock_timeout = 0
SET NAMES 'SQL_ASCII'
SET search_path = evil
SET SCHEMA 'evil'
SET search_path TO pg_temp, public
SELECT set_config('row_security','off',true)
SELECT set_config(name, 'off', false) FROM pg_settings WHERE name='row_security'
SET XML OPTION DOCUMENT; SET ROLE x
COMMIT PREPARED 'x'
BEGIN; PREPARE TRANSACTION 'x'
LISTEN x
NOTIFY x, 'y'
UNLISTEN *
LOCK TABLE customers
SELECT pg_try_advisory_xact_lock(1,2)
SELECT token FROM U&"secret\0073"
SELECT U&"\0067et_ssn"(1)
TABLE U&"secret!0073" UESCAPE '!'
SELECT c.U&"\006ceak" FROM orders c
SELECT pg_input_is_valid('1', ssn) FROM customers WHERE id=1
