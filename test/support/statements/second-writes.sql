UPDATE items SET name = (SELECT left(secret, 10) FROM items LIMIT 1)
UPDATE items SET name = (SELECT s FROM (SELECT left(i.secret, 8) AS s FROM items i) x LIMIT 1)
UPDATE items SET name = left(to_jsonb(items) ->> 'secret', 9)
UPDATE items AS i SET name = left(i::text, 12)
UPDATE items AS secret SET name = left(secret::text, 12)
UPDATE items SET price = (SELECT count(*) FROM items x WHERE x.ssn LIKE 'canary-a%')
UPDATE items SET price = (SELECT sum(hashtext(ssn)) % 100 FROM items)
UPDATE items SET price = (SELECT sum(hashtext(x::text)) % 100 FROM items x)
UPDATE items SET price = length(email)
UPDATE items SET price = 1 WHERE email > 'u5'
UPDATE items SET price = 1 WHERE (id, email) IN (SELECT id, email FROM items)
UPDATE items SET price = 1 FROM (SELECT id AS i, email AS e FROM items) x WHERE x.i = items.id AND x.e LIKE 'u2%'
UPDATE items SET price = 1 FROM items o WHERE o.email = items.email
UPDATE items SET price = 1 FROM items o WHERE o.ssn = 'hidden' AND o.id = items.id
UPDATE items SET price = 1 WHERE ctid IN (SELECT ctid FROM items WHERE price > 3)
UPDATE items SET price = 1 WHERE id = ANY (SELECT id FROM items WHERE ssn IS NOT NULL)
UPDATE items SET price = price + 1 WHERE id IN (SELECT id FROM items ORDER BY email LIMIT 2)
UPDATE items SET (name, price) = (SELECT left(secret, 5), 1 FROM items x WHERE x.id = items.id)
UPDATE items SET (name, price) = ROW (secret, 1)
UPDATE items SET tags[length(secret)] = 'x'
UPDATE items SET doc = to_jsonb(items)
UPDATE items SET doc['a'] = to_jsonb(secret)
UPDATE items SET name = DEFAULT, doc = jsonb_build_object('s', (SELECT max(ssn) FROM items))
UPDATE items SET price = 1 RETURNING items
UPDATE items SET price = 1 RETURNING to_jsonb(items)
UPDATE items SET price = 1 RETURNING (items).secret
UPDATE items SET price = 1 RETURNING old.secret, new.email
UPDATE items SET price = 1 RETURNING WITH (OLD AS o, NEW AS n) o.*, n.ssn
UPDATE items SET price = 1 RETURNING (SELECT secret)
UPDATE items SET price = 1 RETURNING (SELECT max(ssn) FROM items)
UPDATE items SET price = 1 RETURNING *, ctid, xmin IS NOT NULL
UPDATE items SET price = 1 RETURNING xmax
UPDATE items SET price = 1 / (length(secret) - 7)
UPDATE items SET price = 1 WHERE 1 / (price - 3) > -100
UPDATE items SET price = 1 WHERE price < 100 AND name::int > 0
UPDATE items SET price = 1 WHERE CASE WHEN tenant = 2 THEN 1 / 0 > 0 ELSE true END
UPDATE items SET price = 1 FROM generate_series(1, 3) secret WHERE secret > 0 AND id = secret
UPDATE items SET name = secret FROM (VALUES ('x')) v(secret)
UPDATE items SET name = left(v.secret, 3) FROM (VALUES ('x')) v(secret)
UPDATE items SET price = 1 WHERE EXISTS (SELECT FROM other WHERE v = secret)
UPDATE items SET price = 1 WHERE EXISTS (SELECT FROM open WHERE a < secret)
UPDATE items SET price = 1 WHERE EXISTS (SELECT FROM open o JOIN items x USING (id) WHERE x.email LIKE '%')
UPDATE ONLY items SET price = 2 WHERE items.secret IS NULL
UPDATE open SET a = (SELECT string_agg(email, ',') FROM items)
UPDATE open SET a = (SELECT string_agg(name, ',' ORDER BY id) FROM items)
UPDATE open SET a = x.a FROM (SELECT ssn AS a FROM items) x
UPDATE open SET a = x.a FROM items AS x(a, b, c, d)
UPDATE open SET a = x.d FROM items AS x(a, b, c, d)
UPDATE open SET j = (SELECT jsonb_agg(i) FROM items i)
UPDATE open SET j = (SELECT jsonb_agg(i) FROM (SELECT id, name, price FROM items ORDER BY id) i)
UPDATE open SET b = (SELECT count(*) FROM items NATURAL JOIN (SELECT 'hidden' AS ssn) h)
UPDATE open SET b = (SELECT count(*) FROM items JOIN items o USING (ssn))
DELETE FROM items WHERE secret LIKE 'c%'
DELETE FROM items WHERE items::text LIKE '%canary-a%'
DELETE FROM items i WHERE (i.*) IS NOT NULL
DELETE FROM items USING items o WHERE o.email = items.email
DELETE FROM items USING open WHERE open.a = items.name RETURNING items.*, open.*
DELETE FROM items WHERE id = (SELECT id FROM items ORDER BY ssn DESC, id LIMIT 1)
DELETE FROM items WHERE price > (SELECT avg(price) FROM items) RETURNING id
DELETE FROM items WHERE 1 / (10 - price) > -1
DELETE FROM items WHERE id IN (SELECT id FROM items) RETURNING secret || ''
INSERT INTO items (id, tenant, name) SELECT id + 100, tenant, left(secret, 9) FROM items
INSERT INTO items (id, tenant, name) SELECT id + 100, 1, left(email, 9) FROM items
INSERT INTO items (id, tenant, name) SELECT id + 100, 1, name FROM items RETURNING id, email
INSERT INTO items (id, tenant, name) VALUES (101, 1, (SELECT left(secret, 3) FROM items LIMIT 1))
INSERT INTO items (id, tenant, name) VALUES (101, 1, 'a') RETURNING secret
INSERT INTO items (id, tenant, name) VALUES (101, 1, 'a') RETURNING (SELECT count(*) FROM items WHERE ssn < 'canary-b')
INSERT INTO items (id, tenant, name) VALUES (2, 1, 'a') ON CONFLICT (id) DO UPDATE SET name = left(items.secret, 5)
INSERT INTO items (id, tenant, name) VALUES (2, 1, 'a') ON CONFLICT (id) DO UPDATE SET name = 'z' WHERE items.secret LIKE '%a%' RETURNING id
INSERT INTO items (id, tenant, name) VALUES (2, 1, 'a') ON CONFLICT (id) DO UPDATE SET price = items.price + 1 RETURNING id, price
INSERT INTO items (id, tenant, name) VALUES (1, 1, 'a') ON CONFLICT (id) DO UPDATE SET price = items.price + 1 RETURNING id, price
INSERT INTO items (id, tenant, name) VALUES (1, 1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.secret
INSERT INTO items (id, tenant, name, email) VALUES (103, 1, 'a', 'b@x') ON CONFLICT (email) DO NOTHING
INSERT INTO items (id, tenant, name, email) VALUES (103, 1, 'a', 'b@x') ON CONFLICT DO NOTHING RETURNING id
INSERT INTO open (a) SELECT secret FROM items
INSERT INTO open (a) SELECT i::text FROM items i
INSERT INTO open (a) TABLE items
INSERT INTO open (a, b) SELECT name, price FROM items WHERE ssn LIKE '%a%'
INSERT INTO open (a, b) SELECT name, price FROM items ORDER BY id RETURNING a, b
INSERT INTO open (j) SELECT to_jsonb(x) FROM (SELECT id, name FROM items) x RETURNING j
INSERT INTO open (a) VALUES ((SELECT v FROM other LIMIT 1))
INSERT INTO open (a) VALUES (current_setting('wicket.token_i'))
INSERT INTO open (id, a) VALUES (nextval('items_k_seq'), 'x')
INSERT INTO open (a) WITH s AS (SELECT secret FROM items) SELECT secret FROM s
INSERT INTO open (a) SELECT 'x' WHERE (SELECT count(*) FROM items WHERE email LIKE '%a%') > 2
WITH d AS (DELETE FROM items WHERE price > 5 RETURNING id, name) INSERT INTO open (a) SELECT name FROM d RETURNING a
WITH d AS (DELETE FROM items RETURNING *) SELECT * FROM d
WITH u AS (UPDATE items SET price = 9 RETURNING id) SELECT i.id, i.price, i.email FROM items i JOIN u USING (id) ORDER BY 1
WITH u AS (UPDATE open SET b = 1 RETURNING a) SELECT u.a, i.ssn FROM u, items i ORDER BY i.id LIMIT 1
WITH s AS (SELECT secret FROM items) UPDATE open SET a = (SELECT max(secret) FROM s)
WITH s AS (SELECT email AS e, id FROM items) UPDATE items SET price = 1 FROM s WHERE s.id = items.id AND s.e LIKE '%a%'
MERGE INTO items i USING open o ON o.id = i.id AND i.secret LIKE '%a%' WHEN MATCHED THEN UPDATE SET price = 1
MERGE INTO items i USING open o ON o.id = i.id WHEN MATCHED AND i.ssn LIKE '%a%' THEN DELETE
MERGE INTO items i USING (SELECT email AS e FROM items) o ON o.e = i.name WHEN MATCHED THEN DELETE
MERGE INTO open o USING items i ON o.id = i.id WHEN MATCHED THEN UPDATE SET a = i.email
MERGE INTO open o USING items i ON o.id = i.id WHEN MATCHED THEN UPDATE SET a = i.name RETURNING o.a, i.ssn
MERGE INTO open o USING (SELECT id, name FROM items) i ON o.id = i.id WHEN MATCHED THEN UPDATE SET a = i.name WHEN NOT MATCHED THEN INSERT (a) VALUES (i.name)
EXPLAIN ANALYZE UPDATE items SET price = 1
EXPLAIN (ANALYZE, VERBOSE) DELETE FROM items WHERE price > 3
EXPLAIN (VERBOSE) UPDATE items SET price = 1 WHERE price > 3
SELECT id FROM items WHERE price > 2 ORDER BY id FOR UPDATE
SELECT id, email FROM items ORDER BY email, id FOR NO KEY UPDATE OF items SKIP LOCKED
SELECT 1 FROM items WHERE 1 / (price - 3) > -100
SELECT id FROM items WHERE price BETWEEN 1 AND 100 AND name LIKE 'n%' AND 100 / (price - 5) < 1000 ORDER BY id
SELECT sum(price), max(name), count(*) FROM items
SELECT (SELECT count(*) FROM items x WHERE x.price >= i.price) FROM items i ORDER BY id
SELECT i.id FROM items i LEFT JOIN items j ON j.price = i.price + 1 WHERE j.id IS NULL ORDER BY 1
SELECT id FROM items WHERE price = ANY ('{1,3,5,7,9}') ORDER BY id
SELECT id, lag(price) OVER (ORDER BY id) FROM items ORDER BY id
