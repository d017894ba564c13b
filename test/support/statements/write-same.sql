INSERT INTO open(a,b) VALUES ('z',3) RETURNING a, b, c, j, t
INSERT INTO open VALUES (DEFAULT,'z',DEFAULT,'{a}','{"x":1}',DEFAULT) RETURNING id > 0, a, b, c, j
INSERT INTO open(a) VALUES ('q'),('r') RETURNING a, b
INSERT INTO open DEFAULT VALUES RETURNING b
INSERT INTO open (a,b) SELECT name, id FROM items ORDER BY id LIMIT 2 RETURNING a,b
INSERT INTO open (a) SELECT 'x' || g FROM generate_series(1,3) g RETURNING a
INSERT INTO open AS o (id,a) VALUES (1,'n') ON CONFLICT (id) DO UPDATE SET a = EXCLUDED.a || o.a, b = o.b + 1 WHERE o.b < 5 RETURNING o.*
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT DO NOTHING RETURNING *
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT ON CONSTRAINT open_pkey DO UPDATE SET (a,b) = (EXCLUDED.a, 9) RETURNING *
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT (id) DO UPDATE SET a = DEFAULT RETURNING *
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT (id) DO UPDATE SET (a,b) = (SELECT name, id FROM items WHERE id = 2) RETURNING *
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT (id) WHERE b > 0 DO NOTHING
INSERT INTO open (c[1], c[2]) VALUES ('a','b') RETURNING c
INSERT INTO open (id, a) OVERRIDING SYSTEM VALUE VALUES (99,'o') RETURNING id
INSERT INTO items (id,tenant,name) OVERRIDING USER VALUE VALUES (99,1,'o') RETURNING id
WITH x AS (INSERT INTO open(a) VALUES ('w') RETURNING a) INSERT INTO open(a) SELECT a||'2' FROM x RETURNING a
WITH s AS (SELECT id FROM items WHERE id < 4) UPDATE open SET b = s.id FROM s WHERE open.id = s.id RETURNING open.id, open.b
UPDATE open SET a = 'k' WHERE id = 1 RETURNING *
UPDATE open o SET (a,b) = ('m', b+1) RETURNING o.a, o.b
UPDATE open SET (a,b) = (SELECT name, id FROM items WHERE items.id = open.id + 1) RETURNING a, b
UPDATE open SET c[2] = 'z', j['k'] = '5' WHERE id=1 RETURNING c, j
UPDATE open SET b = DEFAULT, t = DEFAULT RETURNING b
UPDATE ONLY open SET b = b * 2 WHERE id IN (SELECT id FROM items) RETURNING b
UPDATE open SET b = (SELECT max(id) FROM items i WHERE i.id <= open.id) RETURNING b
UPDATE open SET a = i.name FROM items i JOIN part p ON true WHERE i.id = open.id RETURNING open.a, i.name
UPDATE open SET a = l.name FROM items i, LATERAL (SELECT i.name) l WHERE i.id = open.id RETURNING open.*
UPDATE open AS t SET b = 1 FROM open u WHERE u.id = t.id AND u.a = 'x' RETURNING t.id, u.b
DELETE FROM open WHERE id = 1 RETURNING *
DELETE FROM open o USING items i WHERE i.id = o.id AND i.name = 'n2' RETURNING o.id, i.name
DELETE FROM ONLY open RETURNING id
UPDATE open SET b = b + 1 RETURNING old.b, new.b
UPDATE open SET b = b + 1 RETURNING WITH (OLD AS o, NEW AS n) o.b, n.b, o.*
DELETE FROM open RETURNING old.*, new.id
INSERT INTO open(a) VALUES ('i') RETURNING new.a, old.a
INSERT INTO open(id,a) VALUES (1,'i') ON CONFLICT (id) DO UPDATE SET a='z' RETURNING old.a, new.a
MERGE INTO open o USING (VALUES (1,'m'),(50,'new')) s(id,a) ON o.id = s.id WHEN MATCHED THEN UPDATE SET a = s.a WHEN NOT MATCHED THEN INSERT (id,a) VALUES (s.id, s.a) RETURNING merge_action(), o.id, o.a
MERGE INTO open o USING items i ON o.id = i.id WHEN MATCHED AND i.name = 'n1' THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DELETE WHEN NOT MATCHED BY TARGET THEN INSERT (a) VALUES (i.name)
MERGE INTO open o USING items i ON o.id = i.id WHEN MATCHED THEN UPDATE SET (a,b) = (i.name, 3) RETURNING old.a, new.a, i.id
MERGE INTO open USING (SELECT 1 AS id) s ON open.id = s.id WHEN MATCHED THEN UPDATE SET b = DEFAULT WHEN NOT MATCHED THEN INSERT DEFAULT VALUES
WITH m AS (MERGE INTO open o USING items i ON o.id=i.id WHEN MATCHED THEN UPDATE SET a='m' RETURNING o.id) SELECT * FROM m ORDER BY 1
TRUNCATE open
TRUNCATE TABLE ONLY open RESTART IDENTITY
INSERT INTO part VALUES (3,'q') RETURNING *, tableoid::regclass
UPDATE part SET r = 'z' WHERE id = 1 RETURNING *
DELETE FROM part RETURNING id
SELECT nextval('open_id_seq') > 0
SELECT * FROM open WHERE id=1 FOR UPDATE
SELECT o.*, i.name FROM open o JOIN items i ON i.id=o.id FOR UPDATE OF o SKIP LOCKED
SELECT * FROM open FOR NO KEY UPDATE NOWAIT
WITH d AS (DELETE FROM open RETURNING *) SELECT count(*) FROM d
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM t WHERE n<3) INSERT INTO open(b) SELECT n FROM t RETURNING b
PREPARE p(int) AS UPDATE open SET b = $1 WHERE id = 1 RETURNING b; EXECUTE p(5)
EXPLAIN (COSTS OFF) UPDATE open SET b = 1 WHERE id = 1
EXPLAIN (COSTS OFF) INSERT INTO open(a) VALUES ('x')
UPDATE items SET name = 'zz' WHERE id = 2 RETURNING id, name
UPDATE items SET price = price * 1.1, d = d + 1, tags = tags || 'c'::text, doc = doc || '{"b":2}', name = upper(name) WHERE id IN (2,4) RETURNING id, price, d, tags, doc, name
UPDATE items SET tags[1] = 'q', doc['z'] = '1' WHERE id = 2 RETURNING tags, doc
UPDATE items AS i SET price = o.b FROM open o WHERE o.id = i.id RETURNING i.id, i.price, o.a
INSERT INTO items (id,tenant,name,price) VALUES (50,1,'new',1.5) RETURNING id, tenant, name, price, n
INSERT INTO items (id,tenant,name) VALUES (2,1,'new') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name RETURNING id, name
INSERT INTO items (id,tenant,name) VALUES (60,1,'n2') ON CONFLICT (tenant, name) DO UPDATE SET price = 99 RETURNING id, price
INSERT INTO items (id,tenant,name,d) SELECT id+100, 1, 'c'||id, '2026-02-02' FROM open RETURNING id, name, d
INSERT INTO items (id,tenant,name,email) VALUES (70,1,'m','new@x.com') RETURNING id
DELETE FROM items WHERE id = 2 RETURNING id, name
DELETE FROM items USING open WHERE open.id = items.id RETURNING items.id
MERGE INTO items i USING open o ON i.id = o.id WHEN MATCHED THEN UPDATE SET name = o.a WHEN NOT MATCHED THEN INSERT (id,tenant,name) VALUES (o.id,1,o.a) RETURNING i.id, i.name
UPDATE items SET name = 'x' || n WHERE n = 4 RETURNING n
DELETE FROM open WHERE ctid IN (SELECT ctid FROM open ORDER BY id LIMIT 1) RETURNING id
DELETE FROM items WHERE ctid = ANY (ARRAY(SELECT ctid FROM items WHERE id = 2)) RETURNING id
UPDATE open SET b = 3 WHERE open.ctid = '(0,1)' RETURNING id, ctid IS NOT NULL
INSERT INTO open(a) VALUES ('zz') ON CONFLICT (lower(a)) DO NOTHING
INSERT INTO open(j['a']) VALUES ('1') RETURNING j
INSERT INTO open (a) SELECT q.name FROM (SELECT name FROM items ORDER BY id LIMIT 1) q RETURNING a
INSERT INTO open (a,b) SELECT * FROM (SELECT name, id FROM items ORDER BY id LIMIT 1) q RETURNING a, b
INSERT INTO open (a,b) WITH q AS (SELECT name, id FROM items ORDER BY id LIMIT 1) SELECT * FROM q RETURNING a, b
INSERT INTO open (a) SELECT q::text FROM (SELECT 1 AS x) q RETURNING a
INSERT INTO open (a) SELECT v.* FROM (VALUES ('l')) v RETURNING a
INSERT INTO open (j) SELECT to_jsonb(q) FROM (SELECT id, name FROM items WHERE id = 2) q RETURNING j
WITH d AS (DELETE FROM open RETURNING *) INSERT INTO open(a,b) SELECT d.a, d.b FROM d RETURNING a, b
WITH d AS (DELETE FROM open RETURNING *) SELECT d.* FROM d
WITH d AS (DELETE FROM items WHERE id=2 RETURNING id, name) SELECT * FROM d
INSERT INTO open(id,a) SELECT 1, 'x' ON CONFLICT (id) DO UPDATE SET a = excluded.a || 'z' RETURNING a
UPDATE open SET b = 5 RETURNING open, to_jsonb(open)->>'b'
UPDATE open o SET b = 5 WHERE o IS NOT NULL RETURNING o.*, row_to_json(o)
UPDATE open o SET b = 5 WHERE o.* IS NULL RETURNING o
UPDATE open AS "O p" SET b = 5 WHERE ("O p").id = 1 RETURNING "O p", to_jsonb("O p".*), ("O p") . a, ( "O p" ).b + 1
INSERT INTO open (id, a) VALUES (1, 'x'), (9, 'z') ON CONFLICT (id) DO UPDATE SET a = excluded.a WHERE (open.*) IS DISTINCT FROM (excluded.*) RETURNING open.id, to_jsonb(open) - 't'
INSERT INTO open (a) VALUES ('q') RETURNING to_json(open.*)->>'a'
DELETE FROM open RETURNING md5(open::text), open.*::text
DELETE FROM open USING part p WHERE to_jsonb(open)->>'id' = p.id::text RETURNING to_jsonb(open), p.r
WITH gone AS (DELETE FROM open RETURNING to_jsonb(open) AS doc) SELECT doc->>'a' FROM gone ORDER BY 1
MERGE INTO open o USING part p ON p.id = o.id WHEN MATCHED AND o IS DISTINCT FROM NULL THEN UPDATE SET b = 3 RETURNING to_jsonb(o)
