UPDATE items SET name = secret
UPDATE items SET name = left(ssn,10)
UPDATE items SET name = 'x' WHERE ssn LIKE 'c%'
UPDATE items SET name = 'x' WHERE email = 'u2.canary@x.com'
UPDATE items SET name='x' RETURNING email
UPDATE items SET name='x' RETURNING items
UPDATE items SET name='x' RETURNING old.secret
UPDATE items SET name='x' RETURNING old.ssn, new.email
UPDATE items SET name='x' RETURNING old
UPDATE items SET name='x' RETURNING WITH (OLD AS o) o.ssn
UPDATE items SET name='x' RETURNING WITH (OLD AS o) o
UPDATE items SET name='x' RETURNING WITH (OLD AS o) o::text
UPDATE items SET name='x' RETURNING WITH (OLD AS o) to_jsonb(o)
UPDATE items SET name='x' RETURNING row_to_json(new)
UPDATE items SET name='x' RETURNING (old).ssn
UPDATE items SET name='x' RETURNING (SELECT old.ssn)
DELETE FROM items RETURNING (SELECT secret)
DELETE FROM items RETURNING to_jsonb(items)
DELETE FROM items i WHERE i.secret = 'x'
DELETE FROM items WHERE EXISTS (SELECT 1 FROM open WHERE secret LIKE 'c%')
DELETE FROM items WHERE id IN (SELECT id FROM other)
UPDATE open SET a = v FROM other
UPDATE open SET a = email FROM items
UPDATE open SET a = (SELECT ssn FROM items LIMIT 1)
INSERT INTO open(a) SELECT email FROM items
INSERT INTO open(a) SELECT items::text FROM items
INSERT INTO open(j) SELECT to_jsonb(i) FROM items i
INSERT INTO open(a) TABLE other
INSERT INTO open(a) VALUES ((SELECT v FROM other LIMIT 1))
INSERT INTO open(a) SELECT a FROM open WHERE EXISTS (SELECT 1 FROM items WHERE ssn LIKE 'c%')
INSERT INTO open(a) VALUES ('x') RETURNING (SELECT v FROM other LIMIT 1)
INSERT INTO items(id,tenant,secret) VALUES (99,1,'x')
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT (id) DO UPDATE SET secret = 'x'
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT (id) DO UPDATE SET name = items.secret
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT (id) DO UPDATE SET name = 'y' WHERE items.ssn LIKE 'c%'
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT (id) DO UPDATE SET name='y' RETURNING items.ssn
INSERT INTO items(id,tenant,name,email) VALUES (80,1,'x','u2.canary@x.com') ON CONFLICT (email) DO NOTHING
INSERT INTO items(id,tenant,name,email) VALUES (80,1,'x','u2.canary@x.com') ON CONFLICT (lower(secret)) DO NOTHING
MERGE INTO items i USING open o ON i.id=o.id WHEN MATCHED AND i.ssn LIKE 'c%' THEN UPDATE SET name='x'
MERGE INTO items i USING open o ON i.id=o.id AND i.secret='x' WHEN MATCHED THEN DO NOTHING
MERGE INTO open o USING other s ON o.id=s.id WHEN MATCHED THEN UPDATE SET a=s.v
MERGE INTO open o USING items s ON o.id=s.id WHEN MATCHED THEN UPDATE SET a=s.ssn
MERGE INTO items i USING open o ON i.id=o.id WHEN MATCHED THEN UPDATE SET name='x' RETURNING i.*,old.ssn
MERGE INTO other o USING open s ON o.id=s.id WHEN MATCHED THEN DO NOTHING
MERGE INTO other o USING open s ON o.v LIKE 'can%' WHEN MATCHED THEN DO NOTHING
WITH x AS (UPDATE items SET name='x' RETURNING ssn) SELECT * FROM x
WITH x AS (SELECT ssn FROM items) UPDATE open SET a = ssn FROM x
WITH x AS (SELECT * FROM items) UPDATE open SET a = x.name FROM x WHERE x.id=open.id
COPY items FROM STDIN
COPY open FROM '/etc/passwd'
COPY open FROM PROGRAM 'id'
TRUNCATE items
TRUNCATE open, other
TRUNCATE open CASCADE
UPDATE items SET email = (SELECT email FROM items i2 WHERE i2.id = items.id)
UPDATE items SET n = 5
UPDATE pg_class SET relname='x'
DELETE FROM pg_proc
INSERT INTO pg_catalog.pg_authid DEFAULT VALUES
UPDATE v_x SET a = 1
UPDATE items SET name = 'x' WHERE (items).secret = 'q'
UPDATE items SET name = (items).secret
UPDATE items SET name = items::text
UPDATE items SET name = 'x' WHERE items IS NOT NULL
UPDATE items SET name = 'x' FROM open o JOIN items i ON i.ssn = o.a WHERE i.id=items.id
UPDATE items i SET name = 'x' FROM open NATURAL JOIN items
DELETE FROM items USING items i2 WHERE i2.email LIKE 'u2%' AND i2.id = items.id
DELETE FROM items i WHERE (SELECT i.secret) = 'x'
DELETE FROM items i WHERE EXISTS (SELECT 1 FROM (SELECT i.secret) z)
DELETE FROM items i WHERE ROW(i.*) = ROW(1)
DELETE FROM items WHERE count((items)) > 1
DELETE FROM items ORDER BY 1
UPDATE items SET name = 'x' WHERE tableoid = (SELECT 1) AND secret IS NULL
INSERT INTO open (a) SELECT q::text FROM (SELECT * FROM items) q
INSERT INTO open (a) SELECT q.email FROM (SELECT * FROM items) q
INSERT INTO open (a) SELECT q.e FROM (SELECT email AS e FROM items) q
INSERT INTO open (a) SELECT * FROM (TABLE items) q
INSERT INTO open (a) SELECT j::text FROM (items JOIN open USING (id)) j
INSERT INTO open (a) SELECT j.* FROM (items JOIN open USING (id)) AS j
INSERT INTO open (a) SELECT q.x FROM items AS q(a,b,c,x)
INSERT INTO open (a) SELECT q::text FROM items AS q(a,b,c,x)
INSERT INTO open (a) WITH q AS (TABLE items) SELECT x FROM q AS q(a,b,c,x)
INSERT INTO open (a) SELECT z FROM (SELECT i FROM items i) z
INSERT INTO open (a) SELECT (z.i).email FROM (SELECT i FROM items i) z
INSERT INTO open (a) SELECT q.* FROM items i, LATERAL (SELECT i.*) q
INSERT INTO open (a) SELECT f.* FROM items i, LATERAL json_to_record(to_json(i)) AS f(email text)
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT ON CONSTRAINT items_email_key DO NOTHING
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT (id) WHERE ssn LIKE 'c%' DO NOTHING
UPDATE items SET name='x' RETURNING new
DELETE FROM items WHERE items::text LIKE '%c%'
UPDATE items SET name = 'x' RETURNING ctid, items.xmin, ssn
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT (id) DO UPDATE SET a = (SELECT v FROM other LIMIT 1)
INSERT INTO open (id,a) VALUES (1,'n') ON CONFLICT (id) WHERE EXISTS (SELECT 1 FROM other) DO NOTHING
INSERT INTO open (c[(SELECT id FROM other LIMIT 1)]) VALUES ('a')
DELETE FROM part1
INSERT INTO items (id,tenant,name) VALUES (60,1,'n2') ON CONFLICT DO NOTHING
UPDATE open SET b = b + 1 RETURNING old, new
INSERT INTO items(id,tenant,name) VALUES (2,1,'x') ON CONFLICT (id) DO UPDATE SET name='y' WHERE (items.*) IS DISTINCT FROM (excluded.*)
UPDATE items SET name = 'x' RETURNING (items).name, (items).secret
