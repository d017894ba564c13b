SELECT email FROM U&"c\0075stomers" ORDER BY id LIMIT 1
SELECT email FROM public.U&"customers" ORDER BY id LIMIT 1
SELECT JSON_OBJECT('s': ssn) FROM customers WHERE id=1
SELECT JSON_ARRAY(email, ssn) FROM customers WHERE id=1
SELECT JSON_ARRAYAGG(ssn ORDER BY id) FROM customers WHERE id<3
SELECT JSON_OBJECTAGG(id: email) FROM customers WHERE id=1
SELECT JSON_VALUE(to_jsonb(c), '$.ssn') FROM customers c WHERE id=1
SELECT JSON_QUERY(to_jsonb(c), '$.ssn') FROM customers c WHERE id=1
SELECT JSON_EXISTS(to_jsonb(c), '$.ssn') FROM customers c WHERE id=1
SELECT * FROM JSON_TABLE((SELECT jsonb_agg(c) FROM customers c WHERE id<3), '$[*]' COLUMNS (ssn text PATH '$.ssn')) t
SELECT ssn IS JSON FROM customers WHERE id=1
SELECT JSON_SCALAR(ssn) FROM customers WHERE id=1
SELECT JSON(ssn) FROM customers WHERE id=1
SELECT JSON_SERIALIZE(to_jsonb(c)) FROM customers c WHERE id=1
SELECT JSON_OBJECTAGG(id : email ABSENT ON NULL), JSON_ARRAYAGG(ssn ORDER BY id NULL ON NULL RETURNING jsonb) FROM customers WHERE id < 8
SELECT JSON_OBJECT('a' : ssn, 'b' VALUE email RETURNING jsonb), JSON_ARRAY(ssn, email NULL ON NULL), JSON_ARRAY(SELECT ssn FROM customers WHERE id<3 ORDER BY id) FROM customers WHERE id = 7
SELECT JSON('{"a":1}'), JSON_SCALAR(ssn), JSON_SERIALIZE(to_json(email) RETURNING text), ssn IS JSON, to_json(c)::text IS JSON OBJECT FROM customers c WHERE id < 3
SELECT jt.* FROM orders o, JSON_TABLE(o.note, '$' COLUMNS (k int PATH '$.k', src text PATH '$.src' DEFAULT 'x' ON EMPTY, e boolean EXISTS PATH '$.z', n FOR ORDINALITY)) jt WHERE o.id<4
SELECT jt.* FROM customers c, JSON_TABLE(jsonb_build_object('x', jsonb_agg(c.ssn)), '$' COLUMNS (NESTED PATH '$.x[*]' COLUMNS (s text PATH '$'))) jt
SELECT jt.* FROM (SELECT jsonb_agg(to_jsonb(c)) j FROM customers c WHERE id<3) z, JSON_TABLE(z.j, '$[*]' AS root COLUMNS (NESTED PATH '$.ssn' AS s COLUMNS (s text PATH '$'), id int)) jt
SELECT to_ascii(email), unistr(ssn), casefold(email) FROM customers WHERE id = 1
SELECT crc32(ssn::bytea), reverse(email::bytea), sha512(email::bytea) FROM customers WHERE id = 1
SELECT uuid_extract_version(gen_random_uuid()), array_sort(ARRAY[ssn, email]), array_reverse(ARRAY[ssn,email]) FROM customers WHERE id = 1
SELECT gamma(2), lgamma(3), to_bin(id), to_oct(id), to_hex(id) FROM customers WHERE id = 1
