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
