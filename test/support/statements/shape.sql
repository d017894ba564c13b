SELECT (string_to_array(ssn,'-'))[1:2], array_position(string_to_array(email,NULL),'c'), cardinality(string_to_array(ssn,NULL)) FROM customers ORDER BY id LIMIT 2
SELECT ts_rank(to_tsvector('simple',email), to_tsquery('simple','alice')), to_tsvector('simple',email) @@ plainto_tsquery('simple','alice.canarya@example.com') FROM customers WHERE id=1
SELECT email::text[] FROM customers WHERE id=1
SELECT xmlelement(name a, xmlattributes(email as e, ssn)), xmlcomment(ssn), xmlconcat(xmlelement(name b,email)), xmlpi(name p, ssn), xmlparse(content email) FROM customers WHERE id=1
SELECT xmlserialize(content xmlforest(email) as text) FROM customers WHERE id=1
SELECT width_bucket(length(email),0,40,4), num_nulls(ssn,email), num_nonnulls(ssn) FROM customers ORDER BY id LIMIT 8
SELECT pg_typeof(c), pg_typeof(c.email), pg_column_size(c.ssn) FROM customers c ORDER BY id LIMIT 2
EXPLAIN SELECT id FROM customers WHERE ssn='078-01-0271'
EXPLAIN VERBOSE SELECT email FROM customers
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM customers WHERE email LIKE 'a%'
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(*) FROM customers WHERE ssn > '3'
EXPLAIN ANALYZE SELECT ssn FROM customers WHERE ssn LIKE '0%'
EXPLAIN (FORMAT JSON, COSTS OFF) SELECT ssn FROM customers
EXPLAIN (FORMAT XML) SELECT 1
EXPLAIN (FORMAT YAML, SETTINGS) SELECT ssn FROM customers
EXPLAIN (GENERIC_PLAN) SELECT 1
EXPLAIN VALUES (1)
