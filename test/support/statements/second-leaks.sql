SELECT x.* FROM (SELECT c, c.* FROM customers c) AS x(w, i, e, s) ORDER BY i LIMIT 2
SELECT (x.w).ssn, (x.w).email FROM (SELECT c FROM customers c) AS x(w) ORDER BY (x.w).id LIMIT 2
SELECT ((x.w).q).ssn FROM (SELECT ROW(c) AS w FROM customers c) x LIMIT 1
SELECT w FROM (SELECT ROW(c.ssn, c) FROM customers c) AS x(w) LIMIT 2
SELECT row_to_json(ROW(c, o)) FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id LIMIT 2
SELECT to_jsonb(x) FROM (SELECT c AS inner_row, array_agg(o ORDER BY o.id) AS many FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c ORDER BY c.id) x LIMIT 2
SELECT c1 = c2, c1 < c2, c1 *= c2 FROM customers c1, customers c2 WHERE c1.id = 1 AND c2.id = 2
SELECT id FROM customers c WHERE (c.ssn, c.email) > ('078-02-0542', 'a') ORDER BY id
SELECT id FROM customers c WHERE ROW(c.ssn) IN (SELECT ROW('078-01-0271'))
SELECT id FROM customers c WHERE c > (SELECT d FROM customers d WHERE d.id = 3) ORDER BY id
SELECT a.id, b.id FROM customers a JOIN customers b USING (ssn) WHERE a.id < b.id ORDER BY 1, 2 LIMIT 5
SELECT ssn, email FROM customers a JOIN customers b USING (ssn, email) ORDER BY 1, 2 LIMIT 3
SELECT u.ssn FROM customers a JOIN customers b USING (ssn) AS u ORDER BY 1 LIMIT 3
SELECT count(*) FROM customers NATURAL JOIN (SELECT ssn FROM customers WHERE id = 1) x
SELECT count(*) FROM customers NATURAL FULL JOIN (VALUES ('078-01-0271')) AS v(ssn)
SELECT id, ssn FROM customers a NATURAL LEFT JOIN (SELECT id, ssn AS other FROM customers) b WHERE other LIKE '%1%'
SELECT id, count(*) OVER (ORDER BY ssn RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM customers ORDER BY id LIMIT 5
SELECT id, first_value(ssn) OVER (PARTITION BY left(email, 3) ORDER BY email GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM customers ORDER BY id LIMIT 5
SELECT id, nth_value(email, 2) OVER (ORDER BY ssn, id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) FROM customers ORDER BY id LIMIT 5
SELECT sum(1) FILTER (WHERE ssn > '078-05') OVER w, id FROM customers WINDOW w AS (ORDER BY id), v AS (w ROWS UNBOUNDED PRECEDING) ORDER BY id LIMIT 3
SELECT count(*) FILTER (WHERE ssn = '078-01-0271'), bool_or(email LIKE 'alice.c%') FILTER (WHERE ssn IS NOT NULL) FROM customers
SELECT mode() WITHIN GROUP (ORDER BY ssn), percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM customers
SELECT rank('078-02') WITHIN GROUP (ORDER BY ssn), dense_rank('m') WITHIN GROUP (ORDER BY email), cume_dist('078-03') WITHIN GROUP (ORDER BY ssn) FROM customers
SELECT id FROM customers ORDER BY ssn COLLATE "C" DESC NULLS LAST, id LIMIT 5
SELECT id FROM customers ORDER BY ssn USING <, id LIMIT 5
SELECT id FROM customers ORDER BY (SELECT max(d.ssn) FROM customers d WHERE d.id = customers.id), id LIMIT 5
SELECT DISTINCT ON (ssn) ssn, id FROM customers ORDER BY ssn, id
SELECT DISTINCT ON (md5(email)) id FROM customers ORDER BY md5(email), id LIMIT 5
SELECT id FROM customers GROUP BY id, ssn HAVING max(ssn) LIKE '078-0%' ORDER BY id LIMIT 5
SELECT ssn AS id, id AS ssn FROM customers ORDER BY 2 LIMIT 2
SELECT id AS email FROM orders UNION ALL (SELECT length(email) FROM customers ORDER BY email LIMIT 2) ORDER BY email DESC LIMIT 3
SELECT 'x' AS plain UNION SELECT ssn FROM customers EXCEPT SELECT 'y' ORDER BY plain
(SELECT email FROM customers ORDER BY id LIMIT 1) INTERSECT ALL (SELECT email FROM customers)
SELECT status FROM orders EXCEPT SELECT ssn FROM customers ORDER BY 1
SELECT * FROM (SELECT note::text FROM orders UNION SELECT c::text FROM customers c) u ORDER BY 1 LIMIT 3
WITH RECURSIVE t(n, s) AS (SELECT 1, (SELECT ssn FROM customers WHERE id = 1) UNION ALL SELECT n + 1, s || (SELECT left(email, 5) FROM customers WHERE id = n) FROM t WHERE n < 4) SELECT * FROM t
WITH RECURSIVE t AS (SELECT id, ssn, email FROM customers WHERE id = 1 UNION ALL SELECT c.id, c.ssn, c.email FROM customers c, t WHERE c.id = t.id + 1 AND c.id < 5) SEARCH DEPTH FIRST BY ssn, id SET ord SELECT ord, id FROM t ORDER BY ord
WITH RECURSIVE t AS (SELECT id, ssn FROM customers WHERE id < 3 UNION ALL SELECT c.id, c.ssn FROM customers c JOIN t ON c.id = t.id + 1 WHERE c.id < 6) SEARCH BREADTH FIRST BY email SET ord SELECT * FROM t
WITH RECURSIVE t AS (SELECT id, ssn FROM customers WHERE id < 3 UNION ALL SELECT c.id, c.ssn FROM customers c JOIN t ON c.id = t.id + 1 WHERE c.id < 6) CYCLE ssn SET hit TO ssn DEFAULT 'no' USING trail SELECT id, hit, trail FROM t ORDER BY id, trail::text
WITH RECURSIVE t AS (SELECT id, ssn FROM customers WHERE id < 3 UNION ALL SELECT c.id, c.ssn FROM customers c JOIN t ON c.id = t.id + 1 WHERE c.id < 6) CYCLE id, ssn SET hit USING trail SELECT trail FROM t ORDER BY id
WITH c AS MATERIALIZED (SELECT * FROM customers), d AS NOT MATERIALIZED (SELECT ssn FROM c) SELECT max(ssn) FROM d
WITH orders AS (SELECT email AS status, id FROM customers) SELECT status FROM orders ORDER BY id LIMIT 2
WITH customers AS (TABLE public.customers) SELECT ssn FROM customers ORDER BY id LIMIT 2
WITH "Customers" AS (SELECT ssn FROM customers) SELECT * FROM "Customers" ORDER BY 1 LIMIT 1
WITH secrets AS (SELECT 1 AS token) SELECT * FROM public.secrets
WITH a AS (WITH secrets AS (SELECT 'own' AS token) SELECT * FROM secrets) SELECT a.*, (SELECT count(*) FROM secrets) FROM a
WITH RECURSIVE secrets(token) AS (SELECT token FROM public.secrets) SELECT * FROM secrets
SELECT * FROM customers c, LATERAL (SELECT token FROM secrets WHERE id = c.id) s
SELECT * FROM orders o CROSS JOIN LATERAL (VALUES (o.status), ((SELECT ssn FROM customers WHERE id = o.customer_id))) v(x) ORDER BY o.id, 1 LIMIT 2
SELECT l.* FROM customers c, LATERAL ROWS FROM (unnest(ARRAY[c.ssn]), unnest(ARRAY[c.email, c.ssn])) AS l(a, b) ORDER BY c.id LIMIT 4
SELECT l FROM customers c, LATERAL string_to_table(c.ssn, '-') WITH ORDINALITY AS l(part, n) ORDER BY c.id, l.n LIMIT 4
SELECT * FROM customers c, LATERAL regexp_matches(c.email, '([a-z]+)\.([a-z]+)', 'g') m ORDER BY c.id LIMIT 2
SELECT * FROM json_to_recordset((SELECT json_agg(c) FROM customers c)) AS r(id int, ssn text, email text, balance numeric) ORDER BY id LIMIT 2
SELECT r.* FROM customers c, json_populate_record(c, '{"id": 7}') r ORDER BY c.id LIMIT 1
SELECT jsonb_populate_record(c, '{}') FROM customers c ORDER BY id LIMIT 1
SELECT (jsonb_populate_record(c, '{}')).ssn FROM customers c LIMIT 1
SELECT jsonb_path_query_array(jsonb_agg(c), '$[*] ? (@.ssn like_regex "^078-01").email') FROM customers c
SELECT jsonb_path_exists(to_jsonb(c), '$.ssn ? (@ == $v)', jsonb_build_object('v', '078-01-0271')) FROM customers c WHERE id = 1
SELECT JSON_QUERY(jsonb_agg(c), '$[*].ssn' WITH WRAPPER) FROM customers c
SELECT JSON_VALUE(to_jsonb(c), '$.ssn' RETURNING int DEFAULT c.id ON ERROR) FROM customers c ORDER BY id LIMIT 2
SELECT JSON_VALUE(to_jsonb(c), '$.ssn' RETURNING date ERROR ON ERROR) FROM customers c WHERE id = 1
SELECT JSON_VALUE('{}', '$.x' DEFAULT (SELECT token FROM secrets LIMIT 1) ON EMPTY)
SELECT JSON_EXISTS(to_jsonb(c), 'strict $.ssn ? (@ starts with $p)' PASSING left(email, 3) AS p) FROM customers c ORDER BY id LIMIT 2
SELECT jt.* FROM JSON_TABLE((SELECT jsonb_agg(c) FROM customers c), '$[*]' COLUMNS (n FOR ORDINALITY, ssn text PATH '$.ssn', NESTED PATH '$' COLUMNS (mail text PATH '$.email'))) jt LIMIT 3
SELECT jt.* FROM JSON_TABLE('[1]', '$[*]' COLUMNS (x text PATH '$.none' DEFAULT (SELECT ssn FROM customers WHERE id = 1) ON EMPTY)) jt
SELECT jt.* FROM JSON_TABLE('[1]', '$[*]' COLUMNS (x public.mood PATH '$')) jt
SELECT JSON_OBJECTAGG(email : ssn), JSON_ARRAY(SELECT ssn FROM customers ORDER BY id LIMIT 2) FROM customers
SELECT JSON_SERIALIZE(to_json(c) RETURNING bytea) FROM customers c ORDER BY id LIMIT 1
SELECT JSON(ssn) FROM customers WHERE id = 1
SELECT ssn IS JSON, ssn IS JSON SCALAR, email IS NOT JSON OBJECT FROM customers ORDER BY id LIMIT 2
SELECT xt.* FROM XMLTABLE('/c/row' PASSING (SELECT xmlelement(name c, xmlagg(xmlelement(name row, xmlattributes(ssn AS s), email))) FROM customers) COLUMNS s text PATH '@s', e text PATH '.', d text PATH 'none' DEFAULT (SELECT max(ssn) FROM customers)) xt LIMIT 2
SELECT xpath('//text()', xmlelement(name x, ssn)), xpath_exists('/x[starts-with(., "078")]', xmlelement(name x, ssn)) FROM customers ORDER BY id LIMIT 2
SELECT xmlroot(xmlelement(name x, email), version '1.0'), xmlexists('//x[. = "a"]' PASSING BY VALUE xmlelement(name x, ssn)) FROM customers ORDER BY id LIMIT 1
SELECT table_to_xml('customers', true, false, '')
SELECT schema_to_xml('public', true, false, '')
SELECT database_to_xml(true, false, '')
SELECT query_to_xml_and_xmlschema('select * from secrets', true, false, '')
SELECT xpath_table('id', 'ssn', 'customers', '/', 'true')
SELECT ts_rewrite('a'::tsquery, 'SELECT token::tsquery, token::tsquery FROM secrets')
SELECT * FROM crosstab('SELECT id, ssn, email FROM customers') AS ct(a int, b text)
SELECT connectby('secrets', 'token', 'id', '1', 0)
SELECT normal_rand(1, 2, 3)
SELECT * FROM dblink('host=127.0.0.1', 'SELECT token FROM secrets') AS d(t text)
SELECT get_raw_page('customers', 0)
SELECT heap_page_items(NULL)
SELECT * FROM pgstattuple('customers')
SELECT lo_export(424242, '/tmp/x')
SELECT pg_read_file('postgresql.conf'), pg_read_binary_file('PG_VERSION'), pg_stat_file('.')
SELECT pg_ls_dir('.'), pg_ls_waldir(), pg_ls_logdir()
SELECT pg_lock_status()
SELECT pg_cursor(), pg_prepared_statement(), pg_prepared_xact()
SELECT pg_logical_slot_peek_changes('s', NULL, NULL)
SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE attname = 'ssn'
SELECT stavalues1 FROM pg_statistic WHERE starelid = 'customers'::regclass
SELECT rolpassword FROM pg_authid
SELECT query FROM pg_stat_activity
SELECT query, state, client_addr FROM pg_stat_get_activity(pg_backend_pid())
SELECT last_value FROM customers_id_seq
SELECT attname, attmissingval FROM pg_attribute WHERE attrelid = 'customers'::regclass ORDER BY attnum
SELECT prosrc, prosqlbody FROM pg_proc WHERE proname IN ('get_ssn', 'dyn') ORDER BY oid
SELECT p FROM pg_proc p WHERE proname = 'get_ssn'
SELECT to_jsonb(p) -> 'prosrc' FROM pg_proc p WHERE proname = 'get_ssn'
SELECT subconninfo FROM pg_subscription
SELECT srvname FROM pg_foreign_server
SELECT pg_get_viewdef('v_customers'::regclass), pg_get_functiondef('get_ssn(int)'::regprocedure)
SELECT pg_get_function_sqlbody('get_ssn(int)'::regprocedure)
SELECT ssn::numeric FROM customers WHERE id = 1
SELECT (ssn || '')::date FROM customers WHERE id = 1
SELECT ssn::uuid FROM customers WHERE id = 2
SELECT ssn::regclass FROM customers WHERE id = 1
SELECT email::regproc FROM customers WHERE id = 1
SELECT email::regrole FROM customers WHERE id = 1
SELECT ssn::pg_lsn FROM customers WHERE id = 1
SELECT ssn::int4range FROM customers WHERE id = 1
SELECT ('[' || ssn || ',]')::int4multirange FROM customers WHERE id = 1
SELECT ssn::bit(3) FROM customers WHERE id = 1
SELECT email::jsonb FROM customers WHERE id = 1
SELECT email::jsonpath FROM customers WHERE id = 1
SELECT ssn::tsquery, email::tsvector FROM customers WHERE id = 1
SELECT ssn::money FROM customers WHERE id = 1
SELECT ssn::macaddr FROM customers WHERE id = 1
SELECT ssn::point FROM customers WHERE id = 1
SELECT ssn::interval FROM customers WHERE id = 1
SELECT ssn::"char", ssn::name, ssn::char(3), ssn::varchar(5) FROM customers ORDER BY id LIMIT 2
SELECT ssn::hstore FROM customers WHERE id = 1
SELECT ssn::mood FROM customers WHERE id = 1
SELECT to_date(ssn, 'YYYY-MM-DD'), to_number(email, '999') FROM customers WHERE id = 1
SELECT to_timestamp(email, 'HH24:MI') FROM customers WHERE id = 1
SELECT make_date(length(ssn), 99, 1) FROM customers WHERE id = 1
SELECT 1 / (ascii(ssn) - 48) FROM customers WHERE id = 1
SELECT CASE WHEN ssn LIKE '078-01%' THEN 1 / 0 ELSE 2 END FROM customers WHERE id = 1
SELECT (ARRAY[1,2])[length(ssn)], (string_to_array(email, '@'))[1:9] FROM customers WHERE id = 1
SELECT ARRAY[ARRAY[ssn], ARRAY[email, ssn]] FROM customers WHERE id = 1
SELECT array_fill(1, ARRAY[length(ssn) - 20]) FROM customers WHERE id = 1
SELECT repeat('x', CASE WHEN ssn LIKE '078%' THEN 2000000000 ELSE 1 END) FROM customers WHERE id = 1
SELECT sqrt(-ascii(ssn)), ln(length(email) - 100) FROM customers WHERE id = 1
SELECT set_bit(decode('00', 'hex'), ascii(ssn), 1) FROM customers WHERE id = 1
SELECT decode(ssn, 'hex') FROM customers WHERE id = 1
SELECT decode(email, 'base64') FROM customers WHERE id = 1
SELECT convert_from(decode('ff', 'hex'), 'UTF8'), ssn FROM customers WHERE id = 1
SELECT encode(convert_to(ssn, 'UTF8'), 'escape'), encode(sha512(email::bytea), 'hex') FROM customers ORDER BY id LIMIT 1
SELECT regexp_replace(email, '(' || ssn || ')', 'x') FROM customers WHERE id = 1
SELECT email ~ ('[' || ssn) FROM customers WHERE id = 1
SELECT email LIKE ssn ESCAPE 'ab' FROM customers WHERE id = 1
SELECT substring(email FROM ssn FOR '##') FROM customers WHERE id = 1
SELECT format(ssn, 1), format('%' || length(email) || 's', 'x') FROM customers WHERE id = 1
SELECT chr(length(ssn) - 100) FROM customers WHERE id = 1
SELECT generate_series(1, length(ssn)), generate_subscripts(string_to_array(email, '.'), 1) FROM customers WHERE id = 1
SELECT overlay(ssn PLACING email FROM 2), position('-' IN ssn), trim(LEADING '0' FROM ssn), reverse(email), initcap(email), translate(ssn, '078', 'abc'), lpad(ssn, 40, email), split_part(email, '.', 2) FROM customers ORDER BY id LIMIT 2
SELECT ssn < email, ssn ~~ email, ssn || email, ssn ^@ '078', email !~* 'canary' FROM customers ORDER BY id LIMIT 2
SELECT hashtext(ssn), hashtextextended(email, 7), hash_record(c), md5(c::text) FROM customers c ORDER BY id LIMIT 2
SELECT bit_xor(hashtext(ssn)), sum(hashtext(email)), count(DISTINCT ssn), count(DISTINCT c) FROM customers c
SELECT string_agg(email, '' ORDER BY ssn DESC), json_object_agg(id, ssn), xmlagg(xmlelement(name s, ssn)), array_agg(DISTINCT ssn) FROM customers
SELECT corr(length(ssn), id), regr_slope(ascii(email), id), stddev(ascii(ssn)) FROM customers
SELECT min(c.ssn), max(c.email), any_value(ssn) FROM customers c
SELECT ctid, xmin IS NOT NULL, tableoid::regclass, ssn FROM customers WHERE ctid = '(0,1)'
SELECT (SELECT ssn FROM customers x WHERE x.ctid = customers.ctid) FROM customers ORDER BY id LIMIT 1
SELECT ssn FROM customers WHERE tableoid = 'customers_old'::regclass
SELECT cmin, cmax, email FROM customers ORDER BY id LIMIT 1
SELECT ssn FROM ONLY public.customers AS o (a, b, ssn) ORDER BY a LIMIT 1
SELECT b, ssn FROM public.customers AS o (a, b) ORDER BY a LIMIT 1
SELECT * FROM customers AS customers_old ORDER BY id LIMIT 1
SELECT customers_old.* FROM customers_old
SELECT * FROM customers TABLESAMPLE BERNOULLI (50) REPEATABLE (7) WHERE ssn LIKE '0%' ORDER BY id LIMIT 2
SELECT * FROM customers TABLESAMPLE SYSTEM ((SELECT length(ssn) FROM customers WHERE id = 1))
SELECT * FROM secrets TABLESAMPLE SYSTEM (100)
SELECT id FROM customers WHERE ssn = '078-01-0271' FOR UPDATE
SELECT id FROM customers c, orders o FOR KEY SHARE OF c NOWAIT
COPY (SELECT ssn, email FROM customers ORDER BY id LIMIT 2) TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *)
COPY (SELECT c FROM customers c ORDER BY c.ssn, c.id LIMIT 2) TO STDOUT (DELIMITER '|', NULL 'n')
COPY (WITH x AS (TABLE customers) SELECT to_json(x) FROM x ORDER BY id LIMIT 1) TO STDOUT
COPY customers (ssn) TO STDOUT WHERE id = 1
COPY secrets TO STDOUT
COPY (TABLE v_customers) TO STDOUT
COPY customers TO '/tmp/x'
COPY (SELECT token FROM secrets) TO PROGRAM 'cat'
EXPLAIN (COSTS on, VERBOSE) SELECT ssn FROM customers WHERE email = 'alice.canarya@example.com'
EXPLAIN (ANALYZE, TIMING off, SUMMARY off, BUFFERS off) SELECT id FROM customers WHERE ssn LIKE '078-0%'
EXPLAIN (ANALYZE, COSTS on, FORMAT json, TIMING off, SUMMARY off, BUFFERS off) SELECT DISTINCT ssn FROM customers
EXPLAIN (GENERIC_PLAN) SELECT id FROM customers WHERE ssn = $1
EXPLAIN (ANALYZE, VERBOSE, SERIALIZE text, TIMING off, SUMMARY off, BUFFERS off, MEMORY off) SELECT ssn FROM customers
EXPLAIN ANALYZE SELECT count(*) FROM secrets
EXPLAIN SELECT 1 FROM customers c JOIN mv_pii m USING (ssn)
EXPLAIN (ANALYZE, WAL) INSERT INTO customers SELECT * FROM customers
BEGIN; DECLARE c1 CURSOR FOR SELECT c FROM customers c ORDER BY ssn, id; FETCH 2 FROM c1; FETCH ABSOLUTE 1 FROM c1; COMMIT
BEGIN; DECLARE c2 BINARY CURSOR FOR SELECT ssn, email FROM customers ORDER BY id; FETCH 1 FROM c2; COMMIT
DECLARE c3 CURSOR WITH HOLD FOR SELECT token FROM secrets
BEGIN; DECLARE c4 CURSOR FOR UPDATE customers SET ssn = 'x' RETURNING *; COMMIT
BEGIN; FETCH ALL FROM rc; COMMIT
SELECT ref(); FETCH ALL FROM rc
PREPARE p1 (text) AS SELECT id FROM customers WHERE ssn = $1; EXECUTE p1 ('078-01-0271'); DEALLOCATE p1
PREPARE p2 AS SELECT $1 || ssn FROM customers WHERE id = $2; EXECUTE p2 ('a', 1); EXECUTE p2 ((SELECT 'b'), 2); DEALLOCATE p2
PREPARE p3 (customers) AS SELECT $1
PREPARE p4 AS TABLE secrets
SELECT U&"\0073sn" FROM U&"customers" ORDER BY id LIMIT 1
SELECT U&"s!0073n" UESCAPE '!' FROM customers ORDER BY id LIMIT 1
SELECT "ssn" FROM "public" . /* x */ "customers" ORDER BY "id" LIMIT 1
SELECT ssn FROM customers--\r\n ORDER BY id
SELECT ssn/**/FROM/**/customers/**/c/**/ORDER/**/BY/**/id/**/LIMIT/**/1
SELECT $q$ FROM secrets $q$, ssn FROM customers WHERE id = 1
SELECT E'\x27; SELECT token FROM secrets --', ssn FROM customers WHERE id = 1
SELECT 'a' 'b' FROM customers WHERE id = 1
SELECT ((((((((((((((((((((SELECT ssn FROM customers WHERE id = 1))))))))))))))))))))
SELECT (SELECT (SELECT (SELECT (SELECT (SELECT (SELECT x.ssn) FROM customers x WHERE x.id = c.id))))) FROM customers c ORDER BY id LIMIT 1
SELECT * FROM (((customers c JOIN orders o ON c.id = o.customer_id) JOIN customers d ON d.ssn = c.ssn)) WHERE o.id = 1 ORDER BY d.id LIMIT 2
SELECT j.ssn FROM (customers JOIN orders ON customers.id = customer_id) AS j(a, b, ssn) ORDER BY a LIMIT 1
SELECT id, (ssn)::text COLLATE "C" < '078-05' COLLATE "C" FROM customers ORDER BY id LIMIT 3
SELECT CASE c WHEN ROW(1, 'a', 'b', 'c', 'US', 1)::record THEN 1 ELSE 0 END FROM customers c LIMIT 1
SELECT COALESCE(NULLIF(ssn, 'XXX-XX-XXXX'), 'masked'), GREATEST(ssn, email), LEAST(email, 'zzz') FROM customers ORDER BY id LIMIT 3
SELECT ssn IS DISTINCT FROM (SELECT ssn FROM customers WHERE id = 2) FROM customers ORDER BY id LIMIT 3
SELECT EXISTS (SELECT FROM customers WHERE ssn = '078-01-0271' AND email LIKE 'alice.canary%')
SELECT id FROM customers WHERE ssn = ANY (ARRAY(SELECT ssn FROM customers WHERE id = 3)) ORDER BY id LIMIT 3
SELECT id FROM customers WHERE ssn >= ALL (SELECT ssn FROM customers WHERE ssn IS NOT NULL) ORDER BY id LIMIT 3
SELECT id FROM customers c WHERE c IS NULL OR c IS NOT NULL ORDER BY id LIMIT 3
SELECT grouping(ssn), ssn, count(*) FROM customers GROUP BY CUBE (ssn, left(email, 1)) ORDER BY 1, 2, 3 LIMIT 5
SELECT ssn, email, count(*) FROM customers GROUP BY GROUPING SETS (ROLLUP (ssn), (email)) ORDER BY 1, 2, 3 LIMIT 5
SELECT id, ssn, email FROM customers GROUP BY ROLLUP (id) ORDER BY id LIMIT 2
MERGE INTO customers c USING orders o ON c.ssn = '078-01-0271' WHEN MATCHED THEN UPDATE SET phone = 'x'
INSERT INTO customers (id, email) VALUES (1, 'x') ON CONFLICT (ssn) DO NOTHING
INSERT INTO orders (id, status) SELECT id + 1000, ssn FROM customers
UPDATE orders SET status = (SELECT ssn FROM customers WHERE id = 1)
DELETE FROM customers WHERE ssn LIKE '078%' RETURNING ssn
WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x
SELECT pg_sleep(1) FROM customers WHERE ssn LIKE '078%'
SELECT current_setting('wicket.token_o'), current_setting('wicket.p_x', true)
SELECT set_config('wicket.token_i', '', false)
SELECT public.upper('x'::varchar)
SELECT 'x'::varchar.upper
SELECT (phone).leak, (c).leak FROM customers c
SELECT c.leak, orders.leak FROM customers c, orders
SELECT 1 OPERATOR(public.####) 2
SELECT * FROM app.customers
SELECT * FROM na.app.customers
