SELECT o.id, o.total, c.country FROM orders o LEFT JOIN customers c ON c.id = o.customer_id WHERE o.status = 'paid' AND o.total > 100 ORDER BY o.total DESC, o.id LIMIT 10
SELECT c.country, count(*) AS n, round(avg(o.total), 2) AS mean, percentile_cont(0.9) WITHIN GROUP (ORDER BY o.total) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.country HAVING count(*) > 2 ORDER BY n DESC, 1
SELECT date_trunc('day', created_at) AS day, sum(total) FROM orders GROUP BY 1 ORDER BY 1 LIMIT 5
SELECT created_at::date, extract(hour FROM created_at)::int AS h, to_char(created_at, 'YYYY-MM-DD HH24:MI') FROM orders ORDER BY id LIMIT 3
SELECT id, total, sum(total) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running FROM orders ORDER BY id LIMIT 5
SELECT id, row_number() OVER (PARTITION BY status ORDER BY total DESC, id), ntile(4) OVER (ORDER BY total, id) FROM orders ORDER BY id LIMIT 5
SELECT id, total - lag(total, 1, 0::numeric) OVER w AS delta, lead(status) OVER w FROM orders WINDOW w AS (ORDER BY id) ORDER BY id LIMIT 4
SELECT * FROM (SELECT *, rank() OVER (PARTITION BY customer_id ORDER BY total DESC) AS r FROM orders) x WHERE r = 1 ORDER BY id LIMIT 3
WITH recent AS (SELECT * FROM orders WHERE created_at >= '2026-01-03'), big AS (SELECT * FROM recent WHERE total > 200) SELECT count(*), max(total) FROM big
WITH RECURSIVE days(d) AS (SELECT date '2026-01-01' UNION ALL SELECT d + 1 FROM days WHERE d < '2026-01-04') SELECT d, count(o.id) FROM days LEFT JOIN orders o ON o.created_at::date = d GROUP BY d ORDER BY d
SELECT status, count(*) FILTER (WHERE total > 250) AS big, count(*) AS every FROM orders GROUP BY status ORDER BY status
SELECT status, customer_id % 3 AS k, sum(total) FROM orders GROUP BY GROUPING SETS ((status), (customer_id % 3), ()) ORDER BY 1, 2
SELECT status, sum(total), grouping(status) FROM orders GROUP BY ROLLUP (status) ORDER BY 3, 1
SELECT DISTINCT ON (customer_id) customer_id, id, total FROM orders ORDER BY customer_id, total DESC LIMIT 4
SELECT DISTINCT status FROM orders ORDER BY status
SELECT id FROM orders WHERE status IN ('paid', 'new') AND NOT total BETWEEN 50 AND 450 ORDER BY id LIMIT 5
SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE country = 'DE') ORDER BY id LIMIT 5
SELECT c.id, c.country FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id AND o.total > 480) ORDER BY c.id LIMIT 5
SELECT c.id, (SELECT max(total) FROM orders o WHERE o.customer_id = c.id) AS top FROM customers c ORDER BY top DESC NULLS LAST, c.id LIMIT 3
SELECT c.id, l.id, l.total FROM customers c CROSS JOIN LATERAL (SELECT o.id, o.total FROM orders o WHERE o.customer_id = c.id ORDER BY o.total DESC LIMIT 2) l ORDER BY c.id, l.total LIMIT 6
SELECT id, note ->> 'src' AS src, (note -> 'k')::int + 1, note @> '{"src": "web"}', note ? 'k', note #>> '{k}' FROM orders ORDER BY id LIMIT 3
SELECT key, count(*) FROM orders, jsonb_each_text(note) GROUP BY key ORDER BY key
SELECT jsonb_agg(jsonb_build_object('id', id, 'total', total) ORDER BY id) FROM orders WHERE id < 4
SELECT json_build_object('orders', json_agg(o ORDER BY o.id)) FROM orders o WHERE id < 3
SELECT row_to_json(x) FROM (SELECT id, status, tags FROM orders ORDER BY id LIMIT 2) x
SELECT to_jsonb(o) - 'note' - 'created_at' FROM orders o ORDER BY id LIMIT 2
SELECT jsonb_set(note, '{k}', '9'), jsonb_pretty(note), jsonb_typeof(note) FROM orders ORDER BY id LIMIT 1
SELECT id, unnest(tags) AS tag FROM orders ORDER BY id, tag LIMIT 4
SELECT tag, count(*) FROM orders, unnest(tags) AS tag GROUP BY tag ORDER BY count(*) DESC, tag
SELECT id FROM orders WHERE 't1' = ANY (tags) AND tags && ARRAY['x'] AND array_length(tags, 1) = 2 ORDER BY id LIMIT 3
SELECT tags[1], tags[1:1], tags || 'new', array_to_string(tags, '+'), cardinality(tags), array_position(tags, 'x') FROM orders ORDER BY id LIMIT 2
SELECT array_agg(DISTINCT status ORDER BY status), string_agg(status, ',' ORDER BY id) FILTER (WHERE id < 4) FROM orders
SELECT string_agg(DISTINCT country, ', ' ORDER BY country) FROM customers
SELECT coalesce(nullif(status, 'new'), 'none'), CASE WHEN total > 250 THEN 'big' WHEN total > 100 THEN 'mid' ELSE 'small' END FROM orders ORDER BY id LIMIT 4
SELECT upper(status), initcap(status), length(status), left(status, 2), replace(status, 'p', 'q'), concat_ws('-', status, id), md5(status) FROM orders ORDER BY id LIMIT 2
SELECT phone, substring(phone FROM 3), phone LIKE '+1555%', phone ~ '^\+1', regexp_replace(phone, '\D', '', 'g') FROM customers ORDER BY id LIMIT 2
SELECT id FROM customers WHERE country ILIKE 'd%' AND balance >= 100.25 ORDER BY balance LIMIT 3
SELECT id, balance, balance::int, round(balance, 1), ceil(balance), mod(balance, 10), balance * 1.1, trunc(balance), abs(-balance), power(id, 2) FROM customers ORDER BY id LIMIT 2
SELECT age('2026-02-01'::timestamptz, created_at) > interval '1 day', created_at + interval '1 hour', created_at AT TIME ZONE 'UTC', created_at - '2026-01-01' FROM orders ORDER BY id LIMIT 2
SELECT generate_series(1, 3) AS n, random() < 1 AS r
SELECT d::date FROM generate_series('2026-01-01'::timestamp, '2026-01-03', '1 day') d
SELECT g, o.id FROM generate_series(1, 3) g LEFT JOIN orders o ON o.id = g * 10 ORDER BY g
SELECT * FROM (VALUES (1, 'one'), (2, 'two')) AS v(n, word) JOIN orders o ON o.id = v.n ORDER BY n
VALUES (1, 'a'), (2, 'b')
TABLE orders ORDER BY id LIMIT 2
SELECT ALL id FROM orders ORDER BY 1 OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY
SELECT total FROM orders ORDER BY total DESC FETCH FIRST 2 ROWS WITH TIES
SELECT id FROM orders WHERE id < 3 UNION SELECT id FROM customers WHERE id < 5 ORDER BY id
(SELECT 'order' AS kind, id FROM orders WHERE id < 3) UNION ALL (SELECT 'customer', id FROM customers WHERE id < 2) ORDER BY kind, id
SELECT customer_id FROM orders INTERSECT SELECT id FROM customers WHERE country = 'US' ORDER BY 1 LIMIT 3
SELECT id FROM customers EXCEPT SELECT customer_id FROM orders WHERE total > 250 ORDER BY 1 LIMIT 3
SELECT a.id, b.id FROM orders a JOIN orders b USING (customer_id) WHERE a.id < b.id ORDER BY 1, 2 LIMIT 3
SELECT * FROM orders a FULL JOIN customers b ON a.customer_id = b.id AND false ORDER BY a.id, b.id LIMIT 2
SELECT o.*, c.country FROM orders o, customers c WHERE c.id = o.customer_id AND (o.status, c.country) IN (('paid', 'US'), ('new', 'DE')) ORDER BY o.id LIMIT 2
SELECT c.* FROM customers c WHERE c.id = 5
SELECT c.id, c.email, c.ssn FROM public.customers AS c ORDER BY c.id LIMIT 3
SELECT count(*) FROM customers WHERE email LIKE '%@example.com'
SELECT split_part(email, '@', 2) AS domain, count(*) FROM customers GROUP BY domain
SELECT c.id, c.email, c.country, count(o.id), sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id ORDER BY c.id LIMIT 3
SELECT "o"."id", "o"."status" FROM "public"."orders" "o" WHERE "o"."id" = 3
SELECT "public"."orders"."id", "public"."orders"."total" FROM "public"."orders" WHERE ("public"."orders"."id" = 7 AND 1=1) LIMIT 1 OFFSET 0
SELECT "t0"."id" AS "t0_id", "t1"."country" AS "t1_country" FROM "orders" "t0" INNER JOIN "customers" "t1" ON "t0"."customer_id" = "t1"."id" WHERE "t0"."id" IN (1, 2) ORDER BY "t0"."id" ASC
SELECT "Order"."id", "customer"."id" AS "customer.id", "customer"."country" AS "customer.country" FROM "orders" AS "Order" LEFT OUTER JOIN "customers" AS "customer" ON "Order"."customer_id" = "customer"."id" WHERE "Order"."id" = 4
SELECT coalesce(json_agg("x"."data"), '[]') FROM (SELECT json_build_array("o"."id", "o"."status") AS "data" FROM "orders" "o" WHERE "o"."customer_id" = 3 ORDER BY "o"."id") "x"
SELECT c.id, (SELECT coalesce(json_agg(agg), '[]') FROM (SELECT o.id, o.total FROM orders AS o WHERE o.customer_id = c.id ORDER BY o.id) AS agg) AS orders FROM customers AS c ORDER BY c.id LIMIT 2
SELECT anon_1.id, count(*) AS count_1 FROM (SELECT customers.id AS id FROM customers LIMIT 5) AS anon_1 JOIN orders AS orders_1 ON orders_1.customer_id = anon_1.id GROUP BY anon_1.id ORDER BY anon_1.id
SELECT EXISTS (SELECT 1 FROM orders WHERE status = 'paid') AS any_paid, NOT EXISTS (SELECT FROM orders WHERE total < 0)
SELECT status, jsonb_object_agg(id, total) FROM orders WHERE id < 5 GROUP BY status ORDER BY status
SELECT min(created_at), max(created_at), max(created_at) - min(created_at) FROM orders
SELECT width_bucket(total, 0, 500, 5) AS bucket, count(*) FROM orders GROUP BY bucket ORDER BY bucket
SELECT corr(total, customer_id), stddev_samp(total), var_pop(total), bool_and(total > 0), every(id > 0), bit_or(id) FROM orders
SELECT to_tsvector('english', status) @@ to_tsquery('english', 'paid') FROM orders ORDER BY id LIMIT 2
SELECT tstzrange(min(created_at), max(created_at)) @> '2026-01-02'::timestamptz FROM orders
SELECT id FROM orders WHERE created_at >= CURRENT_DATE - 100000 AND created_at < now() + interval '100 years' ORDER BY id LIMIT 1
SELECT current_database() IS NOT NULL, current_user IS NOT NULL, version() LIKE 'PostgreSQL%', pg_backend_pid() > 0, current_schema()
SELECT 1 AS one, NULL AS nothing, true AS yes, 1.5e3 AS num, DATE '2026-01-01' AS d, '{1,2}'::int[] AS a, '{"a":1}'::jsonb AS j, '\x00ff'::bytea AS b, '10.0.0.0/8'::cidr AS net
SELECT $$dollar 'quoted'$$ AS a, E'tab\there' AS b, U&'\0041' AS c, 'it''s' AS d, B'101' AS e, X'1F' AS f
SELECT CAST(total AS text), total::float8, CAST('2026-01-01' AS date) + 1, '12'::int + 1 FROM orders ORDER BY id LIMIT 1
SELECT id /* comment */ FROM orders -- trailing
SELECT 1; SELECT id FROM orders WHERE id = 1; SELECT count(*) FROM customers
BEGIN; SELECT id FROM orders WHERE id = 1; COMMIT
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM orders; ROLLBACK
START TRANSACTION; SAVEPOINT s1; SELECT 1 / 0; ROLLBACK
BEGIN; DECLARE c NO SCROLL CURSOR FOR SELECT id FROM orders ORDER BY id; FETCH FORWARD 3 FROM c; MOVE 2 IN c; FETCH NEXT FROM c; CLOSE c; END
PREPARE q (int) AS SELECT id, status FROM orders WHERE id = $1; EXECUTE q (3); EXECUTE q (4); DEALLOCATE PREPARE q
SHOW TIME ZONE
SET TIME ZONE 'UTC'; SET datestyle = 'ISO, MDY'; SET extra_float_digits = 3; SET application_name = 'x'; SELECT created_at FROM orders WHERE id = 1; RESET timezone
SHOW server_version; SHOW transaction_isolation; SHOW standard_conforming_strings; SHOW client_encoding; SHOW search_path
SELECT current_setting('server_version_num')::int > 0, current_setting('TimeZone') IS NOT NULL
COPY orders (id, status) TO STDOUT WITH (FORMAT csv, HEADER true)
COPY (SELECT id, total FROM orders WHERE id < 4 ORDER BY id) TO STDOUT WITH CSV DELIMITER ';' NULL ''
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1
SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'orders' AND table_schema = 'public' ORDER BY ordinal_position
SELECT c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v') ORDER BY 1
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a WHERE a.attrelid = 'public.orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT conname, contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'orders'::regclass ORDER BY conname
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'orders' ORDER BY indexname
SELECT typname FROM pg_type WHERE typname IN ('int4', 'text') ORDER BY 1
SELECT n.nspname, t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = 'mood'
SELECT has_table_privilege('orders', 'SELECT'), pg_size_pretty(1024::bigint), obj_description('customers'::regclass, 'pg_class')
SELECT JSON_VALUE(note, '$.src'), JSON_QUERY(note, '$.k'), JSON_EXISTS(note, '$.k') FROM orders ORDER BY id LIMIT 2
SELECT jt.* FROM orders, JSON_TABLE(note, '$' COLUMNS (k int PATH '$.k', src text PATH '$.src')) jt ORDER BY orders.id LIMIT 2
SELECT id, status FROM orders TABLESAMPLE SYSTEM (100) ORDER BY id LIMIT 2
SELECT o FROM orders o ORDER BY id LIMIT 2
SELECT (o).status, (o).total FROM orders o ORDER BY id LIMIT 2
SELECT o.id FROM orders o WHERE o IS NOT NULL ORDER BY o DESC LIMIT 2
SELECT ctid, tableoid::regclass, id FROM orders ORDER BY ctid LIMIT 2
SELECT xmlelement(name "order", xmlattributes(id), status) FROM orders ORDER BY id LIMIT 2
SELECT status, mode() WITHIN GROUP (ORDER BY customer_id % 5) FROM orders GROUP BY status ORDER BY status
SELECT id, status, total FROM orders GROUP BY ROLLUP (status), id ORDER BY id, status LIMIT 4
SELECT o.id, o.status FROM orders o GROUP BY o.id, o.id ORDER BY o.id LIMIT 2
SELECT o.id, o.status, count(*) FROM orders o GROUP BY GROUPING SETS ((o.id), (o.id, o.total)) ORDER BY o.id, o.total LIMIT 4
SELECT o.id, o.status, o.note FROM orders o GROUP BY CUBE (o.status), o.id HAVING o.total > 400 ORDER BY o.id, o.status LIMIT 4
SELECT (SELECT o FROM orders o WHERE o.id = 3).status
SELECT ((SELECT c FROM customers c WHERE c.id = 1)).email
SELECT (SELECT o FROM orders o WHERE o.id = 3).tags[1], ((SELECT "O" FROM orders "O" WHERE "O".id = 4)) . "status" AS s
SELECT o.id, o.status, o.total, grouping(o.tags) FROM orders o GROUP BY GROUPING SETS ((o.id, o.tags), (o.id)) ORDER BY o.id, o.tags LIMIT 4
SELECT c.email, c.ssn, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY GROUPING SETS ((c.id), (c.id, o.status)) ORDER BY c.id, o.status LIMIT 4
SELECT o.id, o.note FROM orders o GROUP BY o.status, GROUPING SETS (GROUPING SETS ((o.id), (o.id)), (o.id)) ORDER BY o.id LIMIT 4
