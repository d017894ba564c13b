SELECT email AS id, ssn AS country FROM customers ORDER BY customers.id LIMIT 3
SELECT "E".email FROM customers "E" ORDER BY id LIMIT 2
SELECT customers.email, customers.* FROM customers ORDER BY customers.id LIMIT 3
SELECT c.id FROM customers AS c(id,ssn,email) ORDER BY c.email, c.id LIMIT 4
SELECT a.ssn, b.email FROM customers a, customers b WHERE a.id=b.id ORDER BY a.id LIMIT 3
SELECT x.* FROM (customers c JOIN orders o ON o.customer_id=c.id) AS x(a,b,c,d,e,f,g,h,i,j,k,l,m) ORDER BY x.g LIMIT 3
SELECT j.email FROM (customers JOIN orders USING (id)) AS j ORDER BY j.id LIMIT 3
SELECT j.id, email FROM customers JOIN orders USING (id) AS j ORDER BY j.id LIMIT 3
SELECT email "select", ssn "FROM" FROM customers ORDER BY id LIMIT 2
SELECT c."email" FROM public.customers c ORDER BY c."id" LIMIT 2
SELECT concat(email,ssn), concat_ws('|',email,ssn), format('%s-%I-%L',email,ssn,ssn) FROM customers ORDER BY id LIMIT 3
SELECT substring(email from '^[^.]+'), regexp_match(email,'^(.*)@'), left(ssn,-3), lpad(ssn,20,'*'), repeat(ssn,2), initcap(email) FROM customers ORDER BY id LIMIT 3
SELECT sha256(ssn::bytea), hashtext(ssn), hashtextextended(email,0), md5(email||ssn) FROM customers ORDER BY id LIMIT 3
SELECT CASE WHEN ssn LIKE '0%' THEN 'zero' WHEN ssn LIKE '6%' THEN 'six' ELSE 'x' END FROM customers ORDER BY id LIMIT 3
SELECT nullif(email,''), coalesce(ssn,email), greatest(ssn,email), least(ssn,email) FROM customers ORDER BY id LIMIT 8
SELECT ssn::json FROM customers WHERE ssn IS NULL
SELECT to_json(ssn)::text::json, json_build_array(email,ssn), jsonb_build_object(email,ssn) FROM customers WHERE id=1
SELECT email ~ 'canary', email LIKE '%canary%', email SIMILAR TO '%canary%', strpos(email,'canary'), position('canary' in email), starts_with(email,'alice.c') FROM customers WHERE id=1
SELECT string_to_table(email,'.') FROM customers WHERE id=1
SELECT regexp_split_to_array(ssn,'-'), split_part(ssn,'-',2), overlay(ssn placing 'x' from 1) FROM customers ORDER BY id LIMIT 2
SELECT ascii(email), chr(ascii(ssn)), bit_length(ssn), quote_ident(email), parse_ident('a'||left(email,1)), unistr('a'||ssn) FROM customers ORDER BY id LIMIT 2
SELECT ssn || NULL, ssn || 1, ssn || ARRAY['a'] FROM customers ORDER BY id LIMIT 2
SELECT email < 'm', email BETWEEN 'a' AND 'b', email IN ('x', ssn), (email, ssn) = (ssn, email), ROW(email) IS DISTINCT FROM ROW(ssn) FROM customers ORDER BY id LIMIT 3
SELECT ssn::varchar(3), ssn::char(5), ssn::name, ssn::text COLLATE "POSIX", ssn::"char" FROM customers ORDER BY id LIMIT 2
SELECT convert_to(email,'UTF8'), encode(email::bytea,'hex'), encode(email::bytea,'escape'), decode(encode(ssn::bytea,'hex'),'hex') FROM customers ORDER BY id LIMIT 2
SELECT to_number(right(ssn,4),'9999') FROM customers ORDER BY id LIMIT 2
SELECT (c).email FROM customers c ORDER BY id LIMIT 2
SELECT (customers).ssn FROM customers ORDER BY (customers).id LIMIT 2
SELECT c::text FROM customers c ORDER BY id LIMIT 2
SELECT to_json(c)::text, row_to_json(c,true), to_jsonb(c) - 'id' FROM customers c ORDER BY id LIMIT 2
SELECT ROW(c.*), ROW(c), ROW(c.*, 1) FROM customers c ORDER BY id LIMIT 2
SELECT array_agg(c) FROM (SELECT * FROM customers ORDER BY id LIMIT 2) c
SELECT json_agg(c), jsonb_agg(c.*) FROM (SELECT * FROM customers ORDER BY id LIMIT 2) c
SELECT json_object_agg(c.id, c) FROM customers c WHERE id<3
SELECT count(DISTINCT c) FROM customers c
SELECT c FROM customers c WHERE c IS NOT NULL ORDER BY id LIMIT 2
SELECT max(c::text) FROM customers c
SELECT format('%s', c) FROM customers c WHERE id=1
SELECT concat(c) FROM customers c WHERE id=1
SELECT c || '' FROM customers c WHERE id=1
SELECT hash_record(c) IS NOT NULL FROM customers c WHERE id=1
SELECT md5(c::text) FROM customers c WHERE id=1
SELECT string_agg(c::text, ';' ORDER BY c.id) FROM customers c WHERE id<3
SELECT (SELECT c) FROM customers c ORDER BY id LIMIT 1
SELECT (SELECT c.ssn) FROM customers c ORDER BY id LIMIT 1
SELECT x FROM (SELECT * FROM customers ORDER BY id LIMIT 1) x
SELECT (x.c).ssn FROM (SELECT c FROM customers c WHERE id=1) x
SELECT (x.c).* FROM (SELECT c FROM customers c WHERE id=1) x
SELECT r.* FROM customers c, LATERAL (SELECT c.*) r ORDER BY c.id LIMIT 2
SELECT r.ssn FROM customers c, LATERAL (SELECT (c).ssn) r ORDER BY c.id LIMIT 2
SELECT e.* FROM customers c, jsonb_each_text(to_jsonb(c)) e WHERE c.id=1
SELECT to_jsonb(c)->>'ssn', to_jsonb(c) @> '{"ssn":"078-01-0271"}' FROM customers c WHERE id=1
SELECT jsonb_path_query(to_jsonb(c),'$.ssn') FROM customers c WHERE id=1
SELECT jsonb_object_keys(to_jsonb(c)) FROM customers c WHERE id=1
SELECT * FROM jsonb_to_record((SELECT to_jsonb(c) FROM customers c WHERE id=1)) AS x(email text, ssn text)
SELECT json_populate_record(NULL::record, row_to_json(c)) FROM customers c WHERE id=1
SELECT c.* IS NULL, c.* = c.* FROM customers c ORDER BY id LIMIT 1
SELECT unnest(ARRAY[c]) FROM customers c WHERE id=1
SELECT (ARRAY(SELECT c FROM customers c ORDER BY id))[1]
SELECT xmlforest(c) FROM customers c WHERE id=1
SELECT coalesce(c, c) FROM customers c WHERE id=1
SELECT CASE WHEN true THEN c END FROM customers c WHERE id=1
SELECT lag(c) OVER (ORDER BY id) FROM customers c ORDER BY id LIMIT 2
SELECT first_value(c) OVER (ORDER BY id) FROM customers c ORDER BY id LIMIT 2
SELECT ROW(c.email, c.ssn)::text FROM customers c WHERE id=1
SELECT c FROM customers c ORDER BY c LIMIT 2
SELECT c FROM customers c GROUP BY c ORDER BY c LIMIT 2
SELECT customers.*::text FROM customers WHERE id=1
SELECT row_to_json(ROW(c.ssn,c.email)) FROM customers c WHERE id=1
WITH x(a,b) AS (SELECT email, ssn FROM customers) SELECT b, a FROM x ORDER BY a LIMIT 3
WITH x AS MATERIALIZED (SELECT * FROM customers) SELECT x.ssn, x FROM x ORDER BY id LIMIT 2
WITH x AS NOT MATERIALIZED (SELECT * FROM customers) SELECT ssn FROM x WHERE ssn LIKE '078%'
WITH a AS (SELECT * FROM customers), b AS (SELECT * FROM a), c AS (TABLE b) SELECT ssn FROM c ORDER BY id LIMIT 2
WITH x AS (WITH y AS (SELECT ssn FROM customers ORDER BY id LIMIT 2) SELECT * FROM y) SELECT * FROM x
WITH orders AS (SELECT ssn AS status FROM customers ORDER BY id LIMIT 1) SELECT status FROM orders
WITH RECURSIVE customers(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM customers WHERE id<3) SELECT * FROM customers
WITH a AS (SELECT 1 AS id) SELECT (WITH b AS (SELECT ssn FROM customers WHERE id=1) SELECT ssn FROM b), a.id FROM a
SELECT * FROM (WITH x AS (SELECT email FROM customers ORDER BY id LIMIT 1) TABLE x) y
WITH secrets AS (SELECT 1 AS token) SELECT token FROM secrets
WITH RECURSIVE t(n,s) AS (SELECT 1, (SELECT min(ssn) FROM customers) UNION SELECT n+1, s FROM t WHERE n<2) CYCLE n SET c USING p SELECT * FROM t
SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE ssn LIKE '078%') ORDER BY id
SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id=o.customer_id AND c.email LIKE 'alice.c%') ORDER BY id
SELECT id FROM orders WHERE 'XXX-XX-XXXX' = ALL (SELECT ssn FROM customers WHERE ssn IS NOT NULL) ORDER BY id LIMIT 2
SELECT (SELECT count(*) FROM customers WHERE ssn < o.status) FROM orders o ORDER BY id LIMIT 2
SELECT id FROM orders ORDER BY (SELECT ssn FROM customers c WHERE c.id=orders.customer_id), id LIMIT 3
SELECT count(*) FROM orders GROUP BY (SELECT email FROM customers WHERE id=1)
SELECT count(*) FROM orders HAVING (SELECT min(ssn) FROM customers) LIKE '0%'
SELECT id FROM orders ORDER BY id LIMIT (SELECT length(email) FROM customers WHERE id=1)
SELECT * FROM generate_series(1,(SELECT length(ssn) FROM customers WHERE id=1)) g
SELECT * FROM unnest(ARRAY(SELECT ssn FROM customers ORDER BY id LIMIT 3)) WITH ORDINALITY
SELECT * FROM customers c, LATERAL (SELECT c.ssn || o.status AS z FROM orders o WHERE o.customer_id=c.id ORDER BY o.id LIMIT 1) l ORDER BY c.id LIMIT 2
SELECT * FROM ROWS FROM (string_to_table((SELECT email FROM customers WHERE id=1),'.'), generate_series(1,2)) AS r(a,b)
SELECT x.v FROM XMLTABLE('/r' PASSING (SELECT xmlelement(name r, ssn) FROM customers WHERE id=1) COLUMNS v text PATH '.') x
SELECT sum(total) OVER (PARTITION BY (SELECT email FROM customers WHERE id=1) ORDER BY id) FROM orders ORDER BY id LIMIT 2
SELECT CASE (SELECT ssn FROM customers WHERE id=1) WHEN '078-01-0271' THEN 1 ELSE 2 END
SELECT * FROM (VALUES ((SELECT ssn FROM customers WHERE id=1))) v(x)
SELECT ARRAY[(SELECT email FROM customers WHERE id=1)], ROW((SELECT ssn FROM customers WHERE id=2))
SELECT (SELECT ROW(email, ssn) FROM customers WHERE id=1)
SELECT (email, ssn) IN (SELECT email, ssn FROM customers) FROM customers ORDER BY id LIMIT 2
SELECT NOT EXISTS (SELECT FROM customers WHERE email = 'alice.canarya@example.com')
SELECT email FROM customers UNION SELECT ssn FROM customers ORDER BY 1 LIMIT 3
SELECT country, ssn FROM customers EXCEPT SELECT country, 'x' FROM customers ORDER BY 1,2
(SELECT email FROM customers ORDER BY id LIMIT 2) UNION ALL (SELECT status FROM orders ORDER BY id LIMIT 1)
SELECT * FROM customers INTERSECT SELECT * FROM customers ORDER BY 1 LIMIT 3
VALUES ('078-01-0271') EXCEPT SELECT ssn FROM customers
TABLE customers EXCEPT TABLE customers
SELECT c FROM customers c UNION SELECT c FROM customers c ORDER BY 1 LIMIT 1
SELECT ssn FROM customers UNION ALL SELECT email FROM customers UNION SELECT status FROM orders ORDER BY ssn LIMIT 4
SELECT NULL UNION ALL (SELECT ssn FROM customers ORDER BY id LIMIT 1)
SELECT a.id, b.id FROM customers a JOIN customers b ON a.ssn=b.ssn AND a.id<b.id ORDER BY 1,2 LIMIT 5
SELECT count(*) FROM customers a NATURAL JOIN customers b
SELECT count(*) FROM customers a LEFT JOIN (SELECT '078-01-0271' AS ssn) g USING (ssn)
SELECT * FROM customers c FULL JOIN orders o ON o.id = c.id AND c.email LIKE 'a%' ORDER BY c.id, o.id LIMIT 3
SELECT c.email FROM orders o RIGHT JOIN customers c ON c.id=o.customer_id AND o.total>490 ORDER BY c.id LIMIT 3
SELECT email FROM customers CROSS JOIN (VALUES (1)) v ORDER BY id LIMIT 1
SELECT email, ssn FROM customers c JOIN (SELECT customer_id, sum(total) t FROM orders GROUP BY 1) s ON s.customer_id=c.id ORDER BY t DESC, c.id LIMIT 3
SELECT ssn FROM (SELECT id FROM orders) o JOIN customers USING (id) ORDER BY id LIMIT 2
SELECT * FROM customers JOIN (SELECT 'XXX-XX-XXXX' AS ssn) z USING (ssn) ORDER BY id LIMIT 2
SELECT id FROM customers WHERE ssn LIKE '078%'
SELECT count(*) FROM customers WHERE ssn < '5'
SELECT id FROM customers WHERE email = 'alice.canarya@example.com'
SELECT id FROM customers WHERE left(ssn,1)='0' ORDER BY id LIMIT 3
SELECT id FROM customers WHERE md5(ssn)='cb1ab76e9df86268e70e7340d86ddfc8'
SELECT id FROM customers WHERE (ssn,email) > ('078','a') ORDER BY id LIMIT 3
SELECT id FROM customers WHERE ssn LIKE ANY (ARRAY['0%','1%']) ORDER BY id
SELECT id FROM customers WHERE substr(ssn,1,1)::int + 1 = 1
SELECT id FROM customers WHERE CASE WHEN ssn LIKE '0%' THEN true ELSE false END
SELECT id FROM customers WHERE length(ssn)=11 ORDER BY id LIMIT 2
SELECT id FROM customers WHERE email > ssn ORDER BY id LIMIT 2
SELECT id FROM customers WHERE ssn IS DISTINCT FROM '078-01-0271' ORDER BY id LIMIT 3
SELECT id FROM customers WHERE to_tsvector('simple',email) @@ 'alice'::tsquery
SELECT id FROM customers WHERE ssn ^@ '078'
SELECT id FROM customers WHERE email ~* 'CANARYA' ORDER BY id LIMIT 1
SELECT id FROM customers WHERE NOT (ssn <> '078-01-0271')
SELECT id FROM customers WHERE ssn IN (SELECT '078-01-0271')
SELECT id FROM customers WHERE (SELECT customers.ssn) = '078-01-0271'
SELECT id FROM customers WHERE ssn = '078-01-0271' OR 1/(id-41)=0
SELECT max(ssn), string_agg(ssn,',' ORDER BY id) FROM customers
SELECT array_agg(DISTINCT ssn ORDER BY ssn) FROM customers
SELECT ssn, count(*) FROM customers GROUP BY ssn ORDER BY 2,1
SELECT left(email,6), count(*) FROM customers GROUP BY 1 ORDER BY 1
SELECT count(DISTINCT email) FROM customers
SELECT country, max(email) FROM customers GROUP BY ROLLUP(country) ORDER BY 1
SELECT country, email FROM customers GROUP BY CUBE(country, email) ORDER BY 1,2 LIMIT 5
SELECT rank('078-01-0271') WITHIN GROUP (ORDER BY ssn) FROM customers
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers
SELECT count(*) FROM customers HAVING max(ssn) > '5'
SELECT bit_xor(hashtext(ssn)) FROM customers
SELECT sum(length(email)), avg(length(ssn)) FROM customers
SELECT ntile(4) OVER (ORDER BY ssn, id), id FROM customers ORDER BY 2 LIMIT 5
SELECT id, dense_rank() OVER (ORDER BY left(ssn,3)) FROM customers ORDER BY id LIMIT 3
SELECT lead(email) OVER (ORDER BY id) FROM customers ORDER BY id LIMIT 2
SELECT count(*) FILTER (WHERE email LIKE '%canarya%') OVER () FROM customers LIMIT 1
SELECT id, cume_dist() OVER (ORDER BY email) FROM customers ORDER BY email,id LIMIT 3
SELECT jsonb_object_agg(ssn, id) FROM (SELECT * FROM customers WHERE id < 3 ORDER BY id) c
SELECT min(email) FILTER (WHERE ssn LIKE '0%') FROM customers
SELECT count(*) FROM customers GROUP BY GROUPING SETS ((ssn),(email),()) ORDER BY 1
SELECT id FROM customers ORDER BY ssn, id LIMIT 5
SELECT id FROM customers ORDER BY email DESC, id LIMIT 5
SELECT id FROM customers ORDER BY md5(ssn), id LIMIT 4
SELECT id FROM customers ORDER BY CASE WHEN ssn LIKE '07%' THEN 0 ELSE 1 END, id LIMIT 3
SELECT id, ssn AS s FROM customers ORDER BY s, id LIMIT 3
SELECT id, row_number() OVER (ORDER BY ssn, id) FROM customers ORDER BY 2 LIMIT 3
SELECT DISTINCT ssn FROM customers ORDER BY ssn
SELECT DISTINCT left(ssn,2), country FROM customers ORDER BY 1,2
SELECT id FROM customers ORDER BY email COLLATE "C" , id FETCH FIRST 3 ROWS WITH TIES
SELECT id FROM customers ORDER BY customers, id LIMIT 2
SELECT id FROM customers c ORDER BY c.*, id LIMIT 2
SELECT ssn FROM customers ORDER BY 1 NULLS FIRST LIMIT 8
SELECT ssn::int FROM customers WHERE id=1
SELECT ssn::numeric FROM customers WHERE id=1
SELECT email::date FROM customers WHERE id=1
SELECT ssn::timestamp FROM customers WHERE id=1
SELECT ssn::uuid FROM customers WHERE id=1
SELECT email::inet FROM customers WHERE id=1
SELECT email::json FROM customers WHERE id=1
SELECT email::jsonb FROM customers WHERE id=1
SELECT ssn::xml FROM customers WHERE id=1
SELECT email::int[] FROM customers WHERE id=1
SELECT ssn::bit(4) FROM customers WHERE id=1
SELECT ssn::bytea FROM customers WHERE id=1
SELECT ('\\'||ssn)::bytea FROM customers WHERE id=1
SELECT ssn::tsquery FROM customers WHERE id=1
SELECT email::tsquery FROM customers WHERE id=1
SELECT ssn::point FROM customers WHERE id=1
SELECT ssn::money FROM customers WHERE id=1
SELECT ssn::boolean FROM customers WHERE id=1
SELECT ssn::interval FROM customers WHERE id=1
SELECT ssn::regclass FROM customers WHERE id=1
SELECT ssn::regtype FROM customers WHERE id=1
SELECT email::regproc FROM customers WHERE id=1
SELECT ssn::regrole FROM customers WHERE id=1
SELECT ssn::regnamespace FROM customers WHERE id=1
SELECT ssn::macaddr FROM customers WHERE id=1
SELECT ssn::int4range FROM customers WHERE id=1
SELECT email::hstore FROM customers WHERE id=1
SELECT ssn::oid FROM customers WHERE id=1
SELECT ssn::pg_lsn FROM customers WHERE id=1
SELECT ssn::jsonpath FROM customers WHERE id=1
SELECT ssn::char FROM customers WHERE id=1
SELECT email::xid FROM customers WHERE id=1
SELECT ('{'||ssn)::int[] FROM customers WHERE id=1
SELECT 1/(length(email)-25) FROM customers WHERE id=1
SELECT 1/(ascii(ssn)-48) FROM customers WHERE id=1
SELECT to_date(ssn,'YYYY-MM-DD') FROM customers WHERE id=1
SELECT to_timestamp(email,'YYYY') FROM customers WHERE id=1
SELECT to_number(ssn,'9') FROM customers WHERE id=1
SELECT date_part(ssn, now()) FROM customers WHERE id=1
SELECT extract(epoch from ssn::timestamp) FROM customers WHERE id=1
SELECT date_trunc(ssn, now()) FROM customers WHERE id=1
SELECT now() AT TIME ZONE email FROM customers WHERE id=1
SELECT timezone(ssn, now()) FROM customers WHERE id=1
SELECT decode(ssn,'hex') FROM customers WHERE id=1
SELECT decode(email,'base64') FROM customers WHERE id=1
SELECT decode('aa',ssn) FROM customers WHERE id=1
SELECT encode('a',email) FROM customers WHERE id=1
SELECT convert('a'::bytea, ssn, 'UTF8') FROM customers WHERE id=1
SELECT regexp_replace('a', '(' || ssn, '') FROM customers WHERE id=1
SELECT 'a' ~ ('(' || email) FROM customers WHERE id=1
SELECT 'a' LIKE ssn ESCAPE email FROM customers WHERE id=1
SELECT email::tsvector FROM customers WHERE id=1
SELECT to_tsvector(email::regconfig, 'a') FROM customers WHERE id=1
SELECT to_tsquery(email) FROM customers WHERE id=1
SELECT jsonb_path_query('{}', ('$.' || ssn)::jsonpath) FROM customers WHERE id=1
SELECT jsonb_set('{}', ARRAY[ssn,'a'], '1') FROM customers WHERE id=1
SELECT ('{"a":1}'::jsonb)->ssn->'b' FROM customers WHERE id=1
SELECT json_extract_path('{}',ssn) FROM customers WHERE id=1
SELECT xpath(email,'<a/>') FROM customers WHERE id=1
SELECT xmlparse(document ssn) FROM customers WHERE id=1
SELECT xmlelement(name a, xmlattributes(ssn as a)) FROM customers WHERE id=1
SELECT lpad('a',2000000000+length(ssn)) FROM customers WHERE id=1
SELECT repeat(ssn,1000000000) FROM customers WHERE id=1
SELECT chr(length(ssn)*1000000) FROM customers WHERE id=1
SELECT array_fill(1, ARRAY[length(email)*100000000]) FROM customers WHERE id=1
SELECT (ARRAY[1,2])[ssn::int] FROM customers WHERE id=1
SELECT format('%' || ssn, 1) FROM customers WHERE id=1
SELECT to_regclass(ssn) FROM customers WHERE id=1
SELECT make_date(length(ssn),length(email),99) FROM customers WHERE id=1
SELECT factorial(length(email)*10000) FROM customers WHERE id=1
SELECT power(length(email),9999) FROM customers WHERE id=1
SELECT ln(length(ssn)-11) FROM customers WHERE id=1
SELECT sqrt(10-length(email)) FROM customers WHERE id=1
SELECT generate_series(1, length(ssn), length(ssn)-11) FROM customers WHERE id=1
SELECT substring(ssn from 1 for -1) FROM customers WHERE id=1
SELECT overlay(ssn placing 'a' from 0) FROM customers WHERE id=1
SELECT split_part(ssn,'-',0) FROM customers WHERE id=1
SELECT string_to_array(ssn,'-')::int[] FROM customers WHERE id=1
SELECT normalize(ssn,NFC) FROM customers WHERE id=1
SELECT quote_literal(ssn)::int FROM customers WHERE id=1
SELECT pg_size_bytes(ssn) FROM customers WHERE id=1
SELECT age(ssn::xid) FROM customers WHERE id=1
SELECT gcd(length(ssn), 0) FROM customers WHERE id=1
SELECT width_bucket(1,1,1,length(ssn)) FROM customers WHERE id=1
SELECT range_merge(int4range(1,length(ssn)), int4range(length(ssn),1)) FROM customers WHERE id=1
SELECT int4range(length(email),1) FROM customers WHERE id=1
SELECT has_table_privilege(ssn,'orders','select') FROM customers WHERE id=1
SELECT has_table_privilege('orders',ssn) FROM customers WHERE id=1
SELECT has_column_privilege('orders',ssn,'select') FROM customers WHERE id=1
SELECT has_schema_privilege(email,'usage') FROM customers WHERE id=1
SELECT row_to_json(ROW(ssn))::int FROM customers WHERE id=1
SELECT unnest(ARRAY[ssn])::int FROM customers WHERE id=1
SELECT nullif(ssn,'x')::int FROM customers WHERE id=1
SELECT (SELECT ssn)::int FROM customers WHERE id=1
SELECT ssn::varchar::int FROM customers WHERE id=1
SELECT CAST(ssn AS int) FROM customers WHERE id=1
SELECT int4(ssn) FROM customers WHERE id=1
SELECT ssn::text::integer FROM customers WHERE id=1
SELECT ssn::smallint FROM customers WHERE id=1
SELECT ssn::bigint FROM customers WHERE id=1
SELECT ssn::float8 FROM customers WHERE id=1
SELECT email::float4 FROM customers WHERE id=1
SELECT ssn::date FROM customers WHERE id=1
SELECT email::time FROM customers WHERE id=1
SELECT ssn::timestamptz FROM customers WHERE id=1
SELECT ssn::cidr FROM customers WHERE id=1
SELECT (SELECT id FROM customers WHERE ssn LIKE 'XXX%')
SELECT id FROM customers WHERE ssn::int = 5
SELECT id FROM customers ORDER BY ssn::int
SELECT id FROM customers GROUP BY id, ssn::int
SELECT sum(ssn::int) FROM customers
SELECT id FROM customers WHERE email::date > now()
SELECT * FROM customers WHERE id = ssn::int
SELECT id FROM customers LIMIT (SELECT ssn::int FROM customers WHERE id=1)
SELECT id FROM customers WHERE ssn = 1
SELECT nosuch FROM customers
SELECT customers.nosuch FROM customers
SELECT ssn + 1 FROM customers
SELECT email FROM customers GROUP BY ssn
SELECT x FROM customers c, orders c
SELECT id FROM customers, orders
SELECT max(max(ssn)) FROM customers
SELECT (VALUES (1),(2)), ssn FROM customers
SELECT ssn FROM customers UNION SELECT id FROM customers
SELECT email, ssn FROM customers UNION SELECT email FROM customers
SELECT ssn FROM customers WHERE id = 'x'
SELECT ssn FROM customers WHERE id = 99999999999999
COPY customers TO STDOUT
COPY customers(email) TO STDOUT
COPY customers(ssn, id) TO STDOUT CSV HEADER
COPY (SELECT * FROM customers ORDER BY id) TO STDOUT
COPY (SELECT email, ssn FROM customers ORDER BY ssn, id) TO STDOUT WITH (FORMAT csv, DELIMITER ';', FORCE_QUOTE *)
COPY (SELECT c FROM customers c ORDER BY id) TO STDOUT
COPY (TABLE customers) TO STDOUT
COPY (WITH x AS (SELECT * FROM customers) SELECT ssn FROM x ORDER BY id) TO STDOUT
COPY (VALUES ((SELECT ssn FROM customers WHERE id=1))) TO STDOUT
COPY public.customers (email, ssn) TO STDOUT DELIMITER '|' NULL 'N'
COPY (SELECT ssn::int FROM customers) TO STDOUT
COPY customers TO STDOUT (FORMAT csv, NULL 'none', QUOTE '''', ESCAPE '''')
COPY (SELECT email FROM customers ORDER BY id) TO STDOUT (FORMAT binary)
COPY customers TO STDOUT WITH BINARY
COPY "customers" ("email") TO STDOUT
BEGIN; DECLARE c CURSOR FOR SELECT * FROM customers ORDER BY id; FETCH 1 FROM c; FETCH NEXT FROM c; CLOSE c; COMMIT
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT ssn FROM customers ORDER BY ssn, id; FETCH LAST FROM c; FETCH FIRST FROM c; FETCH ABSOLUTE 3 FROM c; FETCH RELATIVE -1 FROM c; ROLLBACK
BEGIN; DECLARE "My Cur" BINARY CURSOR FOR SELECT email FROM customers ORDER BY id; FETCH 2 "My Cur"; END
DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers ORDER BY id; FETCH 1 c; CLOSE ALL
BEGIN; DECLARE c INSENSITIVE NO SCROLL CURSOR WITHOUT HOLD FOR WITH x AS (TABLE customers) SELECT ssn FROM x ORDER BY id; FETCH FORWARD 2 IN c; MOVE FORWARD ALL IN c; ABORT
BEGIN; DECLARE c CURSOR FOR SELECT ssn::int FROM customers; FETCH c; ROLLBACK
DECLARE c CURSOR FOR SELECT email FROM customers
PREPARE p AS SELECT ssn, email FROM customers WHERE id = $1; EXECUTE p(1); EXECUTE p(2); DEALLOCATE p
PREPARE p(text) AS SELECT id FROM customers WHERE ssn = $1; EXECUTE p('078-01-0271')
PREPARE "P x" (int) AS WITH c AS (SELECT * FROM customers) SELECT * FROM c WHERE id=$1; EXECUTE "P x"(1+1); DEALLOCATE PREPARE ALL
PREPARE p AS VALUES ((SELECT min(ssn) FROM customers)); EXECUTE p
PREPARE p AS TABLE customers; EXECUTE p
PREPARE p(int) AS SELECT ssn::int FROM customers WHERE id=$1; EXECUTE p(1)
EXECUTE nosuch
DEALLOCATE nosuch
BEGIN; SAVEPOINT s; SELECT ssn FROM customers ORDER BY id LIMIT 1; RELEASE SAVEPOINT s; COMMIT WORK
START TRANSACTION READ ONLY; SELECT email FROM customers ORDER BY id LIMIT 1; END TRANSACTION
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT 1; COMMIT
SELECT * FROM ONLY public.customers ORDER BY id LIMIT 2
SELECT email, ssn FROM customers * ORDER BY id LIMIT 2
SELECT ctid, xmin IS NOT NULL, tableoid::regclass FROM customers ORDER BY id LIMIT 1
SELECT c.tableoid::regclass FROM customers c LIMIT 1
SELECT customers.ctid = '(0,1)' FROM customers ORDER BY id LIMIT 1
SELECT/**/email/**/FROM/**/customers/**/ORDER/**/BY/**/id LIMIT 1
select EMAIL from CUSTOMERS order by ID limit 1
SELECT 'ü', "email", '😀' FROM /* ü😀 */ customers ORDER BY id LIMIT 1
SELECT email AS "ä€😀" FROM customers AS "ß" ORDER BY "ß".id LIMIT 1
SELECT $$ customers $$, email FROM customers ORDER BY id LIMIT 1
SELECT E'\u00e4', ssn FROM customers ORDER BY id LIMIT 1
SELECT U&'\00e4', U&"ss\006e" FROM customers ORDER BY id LIMIT 1
SELECT 1;SELECT ssn FROM customers ORDER BY id LIMIT 1;
/* ü */ SELECT email FROM customers ORDER BY id LIMIT 1
SELECT ssn::text, 'it''s', '\' FROM customers ORDER BY id LIMIT 1
SELECT "email""x" FROM (SELECT email AS "email""x" FROM customers ORDER BY id LIMIT 1) "a""b"
SELECT to_jsonb(c) #>> '{ssn}', jsonb_pretty(to_jsonb(c)) FROM customers c WHERE id=1
SELECT jsonb_path_exists(to_jsonb(c), '$.ssn ? (@ starts with "078")') FROM customers c WHERE id=1
SELECT json_strip_nulls(row_to_json(c)) FROM customers c ORDER BY id LIMIT 1
SELECT * FROM jsonb_each(to_jsonb((SELECT c FROM customers c WHERE id=1)))
SELECT jsonb_set('{}', ARRAY[country], to_jsonb(ssn)) FROM customers WHERE id=1
SELECT x->>'email' FROM (SELECT jsonb_array_elements(jsonb_agg(c ORDER BY id)) x FROM customers c) y LIMIT 2
SELECT json_build_object(VARIADIC ARRAY[email, ssn]) FROM customers WHERE id=1
SELECT jsonb_object(ARRAY[email], ARRAY[ssn]) FROM customers WHERE id=1
SELECT note || to_jsonb(c) FROM orders o JOIN customers c ON c.id=o.customer_id ORDER BY o.id LIMIT 1
SELECT (to_jsonb(c)->'ssn')::text::int FROM customers c WHERE id=1
SELECT "public"."customers"."id", "public"."customers"."email", "public"."customers"."ssn" FROM "public"."customers" WHERE 1=1 ORDER BY "public"."customers"."id" LIMIT 3 OFFSET 0
SELECT "t1"."id", "t1"."email", COALESCE("__o"."__data", '[]'::jsonb) FROM "public"."customers" AS "t1" LEFT JOIN LATERAL (SELECT JSONB_AGG("x") AS "__data" FROM (SELECT JSONB_BUILD_OBJECT('id', "o"."id") AS x FROM orders o WHERE o.customer_id = "t1"."id" ORDER BY id) q) AS "__o" ON TRUE ORDER BY "t1"."id" LIMIT 2
SELECT DISTINCT "distinctAlias"."Customer_id" AS "ids_Customer_id" FROM (SELECT "Customer"."id" AS "Customer_id", "Customer"."email" AS "Customer_email" FROM "customers" "Customer") "distinctAlias" ORDER BY "Customer_id" ASC LIMIT 3
SELECT anon_1.id, anon_1.email FROM (SELECT customers.id AS id, customers.email AS email, row_number() OVER (PARTITION BY customers.country ORDER BY customers.balance DESC, customers.id) AS rn FROM customers) AS anon_1 WHERE anon_1.rn <= 2 ORDER BY 1
SELECT o.id, c.email FROM orders o LEFT OUTER JOIN customers c ON c.id = o.customer_id WHERE o.status = ANY (ARRAY['paid']) ORDER BY o.created_at DESC LIMIT 3
SELECT email FROM customers ORDER BY country FETCH FIRST 3 ROWS WITH TIES
SELECT c.* FROM customers c JOIN LATERAL (SELECT o.* FROM orders o WHERE o.customer_id = c.id ORDER BY o.id LIMIT 1) l ON true
SELECT c.id, l.* FROM customers c LEFT JOIN LATERAL (SELECT max(o.total) m, array_agg(o.status ORDER BY o.id) s FROM orders o WHERE o.customer_id = c.id) l ON l.m > 10
SELECT * FROM ROWS FROM (generate_series(1,3), unnest(ARRAY['a','b'])) WITH ORDINALITY AS t(a,b,o)
SELECT c.email, t.o FROM customers c, unnest(string_to_array(c.ssn,'-')) WITH ORDINALITY AS t(p,o) WHERE c.id < 3
SELECT * FROM customers c NATURAL JOIN orders o
SELECT * FROM customers NATURAL LEFT JOIN (SELECT id, status FROM orders) o WHERE id < 4
SELECT o.*, c.email FROM orders o FULL JOIN customers c ON o.customer_id=c.id AND o.status='paid'
SELECT id, ssn, row_number() OVER w, rank() OVER w, lag(ssn) OVER w, first_value(email) OVER (w ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM customers WINDOW w AS (PARTITION BY country ORDER BY ssn NULLS FIRST, id)
SELECT ntile(4) OVER (ORDER BY email, id), nth_value(ssn,2) OVER (ORDER BY id) FROM customers
SELECT country, ssn, grouping(country, ssn), count(*) FROM customers GROUP BY GROUPING SETS ((country),(ssn),()) ORDER BY 1,2,3
SELECT country, ssn, count(*) FROM customers GROUP BY ROLLUP(country, ssn) ORDER BY 1,2,3
SELECT country, left(email,1), count(*) FROM customers GROUP BY DISTINCT CUBE(1,2), ROLLUP(1) ORDER BY 1,2,3
SELECT string_agg(DISTINCT ssn, ',' ORDER BY ssn) FROM customers
SELECT country, string_agg(email, ',' ORDER BY id) FILTER (WHERE ssn IS NOT NULL) FROM customers GROUP BY country HAVING max(ssn) > '0'
SELECT any_value(email), array_agg(DISTINCT ssn) FROM customers
SELECT x.* FROM XMLTABLE('/r/c' PASSING (SELECT xmlelement(name r, xmlagg(xmlelement(name c, xmlattributes(id), email))) FROM customers WHERE id<3) COLUMNS n FOR ORDINALITY, id int PATH '@id', e text PATH '.') x
SELECT (c).email, (c.*)::text FROM customers c WHERE id=1
SELECT (c.*).ssn FROM customers c WHERE id=1
SELECT ((c)).* FROM customers c WHERE id = 1
SELECT c IS DISTINCT FROM NULL, c.* IS NOT NULL, ROW(c.*) = ROW(c.*) FROM customers c WHERE id=1
SELECT (SELECT ROW(c.*)::text), (SELECT c::text) FROM customers c WHERE id = 2
SELECT count(c), count(c.*), count(*) FROM customers c
SELECT DISTINCT c FROM customers c ORDER BY c LIMIT 2
SELECT max(c.id), c.email FROM customers c GROUP BY email ORDER BY 1
SELECT id, email, ssn FROM customers GROUP BY id ORDER BY id LIMIT 3
SELECT id, upper(email) FROM customers GROUP BY id HAVING length(ssn) > 3 ORDER BY id
SELECT o.customer_id, c.email, count(*) FROM orders o JOIN customers c ON c.id=o.customer_id GROUP BY c.id, o.customer_id ORDER BY 1 LIMIT 3
SELECT c.*, count(*) FROM customers c GROUP BY c.id ORDER BY c.id LIMIT 2
SELECT customers.*, count(*) FROM public.customers GROUP BY public.customers.id ORDER BY 1 LIMIT 2
SELECT c.id, c.ssn, sum(o.total) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, rollup(o.status) ORDER BY 1,3 LIMIT 5
SELECT o.id, o.note->>'k', o.tags[1] FROM orders o GROUP BY o.id ORDER BY o.id LIMIT 3
SELECT o.*, row_number() OVER (ORDER BY o.total) FROM orders o GROUP BY o.id ORDER BY o.id LIMIT 3
SELECT o FROM orders o GROUP BY o.id ORDER BY o.id LIMIT 3
SELECT x.id, x.email FROM (SELECT id, email FROM customers) x GROUP BY x.id, x.email ORDER BY 1 LIMIT 2
SELECT id FROM orders GROUP BY id ORDER BY max(total) DESC, id LIMIT 3
SELECT id, status FROM orders GROUP BY id ORDER BY created_at LIMIT 3
SELECT id, (SELECT c.email FROM customers c WHERE c.id = orders.customer_id) FROM orders GROUP BY id ORDER BY id LIMIT 3
SELECT c.id, array(SELECT o.total FROM orders o WHERE o.customer_id = c.id AND o.status <> c.country ORDER BY 1) FROM customers c GROUP BY c.id ORDER BY 1 LIMIT 2
SELECT DISTINCT ON (c.id) c.id, c.email FROM customers c GROUP BY c.id ORDER BY c.id, c.ssn LIMIT 3
SELECT c.id, case when c.email like 'a%' then 1 end, coalesce(c.ssn,'-') FROM customers c GROUP BY 1 ORDER BY 1 LIMIT 3
SELECT c.id AS k, c.email FROM customers c GROUP BY k ORDER BY k LIMIT 3
SELECT id FROM customers ORDER BY ssn COLLATE "C" USING <, id LIMIT 3
SELECT id FROM customers ORDER BY email USING ~<~, id LIMIT 3
SELECT ssn FROM customers UNION SELECT email FROM customers EXCEPT SELECT 'x' ORDER BY 1 LIMIT 5
(SELECT ssn FROM customers ORDER BY id LIMIT 1) UNION ALL (SELECT email FROM customers ORDER BY id LIMIT 1)
SELECT ssn FROM customers INTERSECT ALL SELECT ssn FROM customers ORDER BY 1
VALUES (1, (SELECT email FROM customers WHERE id=1)), (2, 'x')
SELECT * FROM (VALUES (1,'a'),(2,'b')) v(i,t) JOIN customers c ON c.id=v.i
WITH a AS MATERIALIZED (SELECT * FROM customers), b AS NOT MATERIALIZED (SELECT * FROM a) SELECT b.email, a.ssn FROM a JOIN b USING (id) ORDER BY id LIMIT 2
WITH RECURSIVE r(n, e) AS (VALUES (1, 'x'::text) UNION ALL SELECT n+1, c.email FROM r JOIN customers c ON c.id = n WHERE n < 4) SELECT * FROM r
WITH RECURSIVE g AS (SELECT id, customer_id FROM orders WHERE id=1 UNION SELECT o.id, o.customer_id FROM orders o JOIN g ON o.id = g.customer_id) SEARCH BREADTH FIRST BY id SET ord CYCLE id SET cyc TO 'y' DEFAULT 'n' USING p SELECT id, cyc, ord FROM g ORDER BY ord
WITH t(a,b) AS (SELECT id, email FROM customers) SELECT b FROM t ORDER BY a LIMIT 2
SELECT * FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id=c.id AND c.ssn LIKE '0%')
SELECT * FROM customers WHERE (email, ssn) IN (SELECT email, ssn FROM customers WHERE id < 4) ORDER BY id
SELECT * FROM customers WHERE ssn > ALL (SELECT ssn FROM customers WHERE id=1) ORDER BY id LIMIT 2
SELECT * FROM customers WHERE (id, email) = (SELECT id, email FROM customers WHERE id=1)
SELECT id FROM customers WHERE email LIKE ANY (ARRAY['a%','b%']) OR ssn ILIKE ALL (ARRAY['0%']) OR email NOT LIKE 'u%' ORDER BY id LIMIT 4
SELECT id FROM customers WHERE ssn COLLATE "C" >= '0' AND email ~~ 'a%' AND ssn !~~* '9' AND email ^@ 'a' ORDER BY id
SELECT id FROM customers WHERE email BETWEEN SYMMETRIC 'z' AND 'a' ORDER BY id LIMIT 4
SELECT id, email IS NORMALIZED, normalize(email), email IS NFC NORMALIZED FROM customers WHERE id<3
SELECT extract(year from created_at), date_part('dow', created_at), created_at AT TIME ZONE 'UTC', created_at AT LOCAL, (created_at, interval '1 day') OVERLAPS (created_at, interval '1 hour') FROM orders WHERE id<3
SELECT trim(both 'x' from ssn), substring(email from 1 for 3), substring(email similar 'a#"%#"@%' escape '#'), overlay(ssn placing 'zz' from 2 for 1), position('-' in ssn), trim(email), btrim(ssn,'0') FROM customers WHERE id<3
SELECT treat(id as int) FROM orders LIMIT 1
SELECT collation for (email) FROM customers LIMIT 1
SELECT cast(ssn as text), ssn::varchar(5), text 'x', int4 '3', ssn::text COLLATE "en-x-icu" FROM customers WHERE id=1
SELECT note['k'], note->'src', note#>>'{k}', note @> '{"k":1}', note ? 'k', note ?| ARRAY['k'], note @? '$.k', note @@ '$.k > 1', jsonb_path_exists(note,'$.k') FROM orders WHERE id<3
SELECT a.n, a.v FROM customers c, LATERAL (VALUES ('email', c.email), ('ssn', c.ssn)) a(n,v) WHERE c.id<3
SELECT unnest(ARRAY[email, ssn]), generate_series(1,2) FROM customers WHERE id<3
SELECT (regexp_matches(email, '(.)(.)', 'g'))[1] FROM customers WHERE id=1
SELECT regexp_count(ssn,'0'), regexp_instr(ssn,'0'), regexp_like(ssn,'^0'), regexp_substr(email,'[a-z]+') FROM customers WHERE id<3
SELECT make_date(2020,1,id), make_interval(days => id), to_char(total,'999D99'), format('%1$s %2$L', id, status) FROM orders WHERE id<3
SELECT jsonb_to_recordset(jsonb_agg(to_jsonb(c))) FROM customers c
SELECT r.* FROM jsonb_to_recordset((SELECT jsonb_agg(to_jsonb(c)) FROM customers c WHERE id<3)) AS r(id int, ssn text)
SELECT json_object_keys(to_json(c)), 1 FROM customers c WHERE id=1
SELECT * FROM jsonb_each((SELECT to_jsonb(c) FROM customers c WHERE id=1))
SELECT * FROM generate_series(1,3) g, LATERAL (SELECT email FROM customers WHERE id=g) e
SELECT current_date IS NOT NULL, localtimestamp(0) IS NOT NULL, current_role, session_user, current_user::text
SELECT g FROM generate_series(timestamp '2020-01-01', timestamp '2020-01-03', interval '1 day') AS g
SELECT E'a\'b', U&'\0061', U&'d!0061t' UESCAPE '!', $$x$$, $t$y$t$, B'1', X'1f', N'z', 1e3, 0x1F, 0b11, 0o7, 1_000
SELECT "id", "Email" FROM (SELECT id, email AS "Email" FROM customers) "Q" ORDER BY 1 LIMIT 1
SELECT U&"\0065mail" FROM customers ORDER BY id LIMIT 1
SELECT "c"."email" AS "größe", c.ssn AS "名" FROM "public"."customers" AS "c" WHERE 'ü' <> c.ssn ORDER BY c.id LIMIT 2
SELECT 'ü', '名', email FROM customers WHERE id = 1 -- ä
SELECT /* ü */ email /* 名 */ FROM /**/ customers /* x /* y */ */ WHERE id=1
SELECT email FROM customers TABLESAMPLE BERNOULLI (100) ORDER BY id LIMIT 2
SELECT c.email FROM customers AS c TABLESAMPLE SYSTEM (100) REPEATABLE (0) JOIN orders o ON o.customer_id = c.id ORDER BY o.id LIMIT 2
SELECT ctid, xmin IS NOT NULL, tableoid::regclass, id FROM orders ORDER BY id LIMIT 2
SELECT tableoid::regclass, * FROM customers ORDER BY id LIMIT 2
SELECT c.tableoid = 'customers'::regclass, c.ctid IS NOT NULL FROM customers c ORDER BY id LIMIT 2
SELECT o.ctid, c.email FROM orders o JOIN customers c ON c.id=o.customer_id WHERE o.ctid = '(0,1)'
SELECT oid FROM customers
SELECT min(ctid), max(o.ctid) FROM orders o
SELECT customers.ctid FROM public.customers WHERE customers.xmin::text::bigint > 0 AND id = 1
COPY customers (email, id) TO STDOUT
COPY customers TO STDOUT (FORMAT csv, HEADER, FORCE_QUOTE *, DELIMITER ';', NULL 'n', QUOTE '"', ESCAPE '"')
COPY customers TO STDOUT WITH CSV HEADER
COPY customers TO STDOUT CSV FORCE QUOTE email
COPY BINARY customers TO STDOUT
COPY customers TO STDOUT DELIMITER AS '|' NULL AS 'x'
COPY (SELECT email, ssn FROM customers ORDER BY id) TO STDOUT
COPY (VALUES (1,'a')) TO STDOUT WITH (FORMAT text)
COPY (SELECT * FROM customers WHERE ssn LIKE '0%') TO STDOUT (FORMAT binary)
COPY (WITH x AS (SELECT * FROM customers) SELECT ssn FROM x ORDER BY id) TO STDOUT WITH DELIMITER ','
COPY public.orders(id,status) TO STDOUT (FORMAT 'csv', ENCODING 'UTF8')
BEGIN; DECLARE c CURSOR FOR SELECT * FROM customers ORDER BY id; FETCH FORWARD 2 FROM c; MOVE 1 IN c; FETCH NEXT c; CLOSE c; COMMIT
BEGIN; DECLARE c SCROLL CURSOR FOR SELECT ssn FROM customers ORDER BY id; FETCH LAST FROM c; FETCH PRIOR FROM c; FETCH ABSOLUTE 1 FROM c; FETCH RELATIVE 1 FROM c; FETCH BACKWARD ALL FROM c; COMMIT
BEGIN; DECLARE "My C" BINARY NO SCROLL CURSOR WITHOUT HOLD FOR SELECT id, email FROM customers ORDER BY id LIMIT 2; FETCH ALL IN "My C"; CLOSE ALL; COMMIT
DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers ORDER BY id; FETCH 2 FROM c; CLOSE c
BEGIN; DECLARE c INSENSITIVE CURSOR FOR TABLE customers; MOVE ALL c; ROLLBACK
BEGIN; DECLARE c ASENSITIVE CURSOR FOR VALUES (1),(2); FETCH c; ROLLBACK
PREPARE p(int) AS SELECT email, ssn FROM customers WHERE id = $1; EXECUTE p(1); EXECUTE p((SELECT max(id) FROM customers)); DEALLOCATE p
PREPARE p AS SELECT $1::text || ssn FROM customers WHERE id=2; EXECUTE p('x'); DEALLOCATE PREPARE ALL
PREPARE p (text, int) AS SELECT id FROM customers WHERE ssn LIKE $1 AND id < $2 ORDER BY id; EXECUTE p('0%', 9)
EXECUTE nope
DEALLOCATE nope
SHOW TIME ZONE
SHOW SESSION AUTHORIZATION
SHOW max_identifier_length
SHOW is_superuser
SET XML OPTION DOCUMENT
SET NAMES 'UTF8'
SET TIME ZONE 'UTC'
SET TIME ZONE LOCAL
SET TIME ZONE -7
SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE
SET SESSION application_name = 'x'
SET LOCAL application_name TO DEFAULT
SET SCHEMA 'public'
SET search_path TO "public"
SET DateStyle = 'ISO, DMY'
SET datestyle TO iso, dmy
BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE; SAVEPOINT a; SELECT 1; ROLLBACK TO SAVEPOINT a; RELEASE a; COMMIT AND CHAIN; ROLLBACK AND NO CHAIN
START TRANSACTION; ABORT; BEGIN WORK; END TRANSACTION
COMMIT
ROLLBACK TO x
SELECT id FROM U&"cust\006fmers" ORDER BY id LIMIT 1
SELECT c.id, c.email FROM U&"cust!006fmers" UESCAPE '!' c ORDER BY id LIMIT 1
SELECT id FROM U&"\0070ublic".U&"cust\+00006fmers" AS x ORDER BY id LIMIT 1
SELECT U&"cust\006fmers".email FROM customers ORDER BY id LIMIT 1
SELECT public.U&"cust\006fmers".email FROM public.customers ORDER BY id LIMIT 1
SELECT U&"\0075pper"(email) FROM customers ORDER BY id LIMIT 1
COPY U&"cust\006fmers" TO STDOUT
TABLE U&"cust\006fmers"
SELECT email FROM ONLY U&"cust\006fmers" ORDER BY id LIMIT 1
SELECT setseed(0.5)
SELECT ts_headline('simple', email, plainto_tsquery('simple','alice')) FROM customers WHERE id=1
SELECT (SELECT max(ssn) FROM customers c2 WHERE c2.country = c.country) m, count(*) FROM customers c GROUP BY c.country ORDER BY 1,2
SELECT * FROM customers c JOIN orders o USING (id) AS u WHERE c.ssn IS NULL ORDER BY u.id
SELECT * FROM (customers c CROSS JOIN LATERAL (SELECT c.email e2) z) ORDER BY c.id LIMIT 2
SELECT max(email) OVER (PARTITION BY country ORDER BY id RANGE BETWEEN UNBOUNDED PRECEDING AND 2 FOLLOWING) FROM customers ORDER BY id
SELECT sum(balance) OVER (ORDER BY id GROUPS 1 PRECEDING) FROM customers ORDER BY id LIMIT 3
SELECT country, json_agg(email ORDER BY id) FROM customers GROUP BY country ORDER BY 1
WITH RECURSIVE c AS (SELECT id, email FROM customers WHERE id = 1 UNION ALL (SELECT x.id, x.email FROM customers x, c WHERE x.id = c.id + 1 AND x.id < 4)) SELECT * FROM c
SELECT id FROM customers WHERE ssn = ANY (SELECT ssn FROM customers WHERE id = 2) ORDER BY id LIMIT 3
SELECT id FROM customers WHERE ROW(email, ssn) > ROW('b', '0') ORDER BY id LIMIT 3
SELECT count(*) FROM customers a FULL JOIN customers b ON a.ssn = b.ssn AND a.id = b.id
SELECT id, email FROM customers ORDER BY 2 DESC, 1 LIMIT ALL OFFSET 38 ROWS
SELECT id FROM customers ORDER BY ssn NULLS FIRST, id FETCH NEXT ROW ONLY
SELECT c.id FROM customers c WHERE c.* IS NOT NULL ORDER BY id LIMIT 2
SELECT c FROM (SELECT id, email FROM customers) AS c(a, b) ORDER BY a LIMIT 1
SELECT (c).b FROM (SELECT id, email FROM customers) AS c(a, b) ORDER BY (c).a LIMIT 1
SELECT e FROM customers AS c(i, e) ORDER BY i LIMIT 1
SELECT c.i, c.ssn, c.* FROM customers AS c(i, e) ORDER BY i LIMIT 1
SELECT make_interval(hours => id), make_date(year => 2020, month => 1, day => id) FROM customers WHERE id < 3
SELECT json_build_object(VARIADIC ARRAY['a', email]) FROM customers WHERE id = 1
SELECT concat_ws(',', VARIADIC ARRAY[email, ssn]) FROM customers WHERE id = 1
SELECT num_nulls(VARIADIC ARRAY[email, ssn]) FROM customers WHERE id = 7
SELECT jsonb_path_query_array(to_jsonb(c), '$.* ? (@.type() == "string")') FROM customers c WHERE id = 1
SELECT jsonb_set(to_jsonb(c), '{ssn}', '"x"') FROM customers c WHERE id = 1
SELECT xmlelement(name x, xmlforest(c.email, c.ssn)) FROM customers c WHERE id = 1
SELECT xpath('/a/text()', xmlelement(name a, email)) FROM customers WHERE id = 1
SELECT * FROM customers c WHERE c.ssn LIKE 'X%' AND NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.total > 400) ORDER BY id
SELECT id, lag(email, 1, 'none') OVER (ORDER BY id), cume_dist() OVER (ORDER BY ssn) FROM customers ORDER BY id LIMIT 3
SELECT percentile_disc(ARRAY[0.25,0.5]) WITHIN GROUP (ORDER BY email) FROM customers
SELECT rank('x') WITHIN GROUP (ORDER BY email) FROM customers
SELECT bit_and(id), bool_and(email LIKE '%@%'), xmlagg(xmlelement(name e, email) ORDER BY id) FROM customers WHERE id < 3
SELECT range_agg(int4range(id, id+2)), int4multirange(int4range(1,2)) FROM customers WHERE id < 4
SELECT string_agg(DISTINCT email, ',' ORDER BY email DESC) FILTER (WHERE id < 5) FROM customers
SELECT id FROM customers EXCEPT ALL SELECT customer_id FROM orders ORDER BY 1
SELECT 1 FROM customers HAVING count(*) > 3
SELECT count(*) FILTER (WHERE ssn IS NOT NULL) OVER () FROM customers LIMIT 1
SELECT DISTINCT ssn, country FROM customers ORDER BY country, ssn
SELECT * FROM ONLY customers c LEFT JOIN ONLY (orders) o ON o.customer_id = c.id ORDER BY c.id, o.id LIMIT 2
SELECT email AS "E", "E" FROM (SELECT id, email, email AS "E" FROM customers) q ORDER BY id LIMIT 1
SELECT id::text || ':' || email AS x FROM customers ORDER BY x LIMIT 2
SELECT r.ssn, r.email FROM customers c, LATERAL jsonb_populate_record(NULL::jsonb, to_jsonb(c)) r
SELECT * FROM json_each_text((SELECT row_to_json(c) FROM customers c WHERE id = 1))
SELECT f.* FROM customers c CROSS JOIN LATERAL ROWS FROM (json_each(to_json(c)) , generate_series(1,2)) f WHERE c.id = 1
SELECT id, (ARRAY[email, ssn])[id % 2 + 1] FROM customers WHERE id < 3 ORDER BY id
SELECT email::bytea, ssn::"char", convert_from(email::bytea, 'UTF8') FROM customers WHERE id = 1
SELECT id, c.country, c.email, count(o.total) FROM customers c LEFT JOIN (SELECT customer_id AS id, total FROM orders) o USING (id) GROUP BY id ORDER BY id LIMIT 5
SELECT id, c.country, count(*) FROM (SELECT customer_id AS id FROM orders) o RIGHT JOIN customers c USING (id) GROUP BY id ORDER BY id LIMIT 5
SELECT id, c.country FROM customers c FULL JOIN (SELECT customer_id AS id FROM orders) o USING (id) GROUP BY id
SELECT id, c.country FROM (customers c JOIN (VALUES (1), (2)) v(id) USING (id)) JOIN (VALUES (1)) w(id) USING (id) GROUP BY id
SELECT id, c.country, count(*) FROM customers c NATURAL JOIN (VALUES (1), (2)) v(id) GROUP BY id ORDER BY id
SELECT id, c.country FROM (VALUES (1), (2)) v(id) NATURAL LEFT JOIN customers c GROUP BY id
