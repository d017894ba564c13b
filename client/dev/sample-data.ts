/** The shop that `wicket dev` shows: made-up people, the same at every start. */

/** Tables and rows, for a superuser on an empty database. */
export const SAMPLE_DATA = `
CREATE TABLE public.customers (
  id int PRIMARY KEY,
  email text UNIQUE NOT NULL,
  ssn text,
  phone text,
  country char(2) NOT NULL,
  balance numeric(12,2) NOT NULL
);
CREATE TABLE public.orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES public.customers,
  total numeric(10,2) NOT NULL,
  status text NOT NULL,
  created_at timestamptz NOT NULL,
  note jsonb
);
CREATE TABLE public.employees (
  id int PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  salary int NOT NULL,
  hired date NOT NULL
);
CREATE TABLE public.secrets (
  id int PRIMARY KEY,
  token text NOT NULL
);
INSERT INTO public.customers
SELECT i,
       (ARRAY['anna','ben','carla','david','eva','finn','greta','hugo','ida','jonas'])[1 + i % 10]
         || '.' || (ARRAY['meier','rossi','dupont','novak','silva','olsen','kaya'])[1 + i % 7] || i || '@example.com',
       CASE WHEN i % 17 = 0 THEN NULL ELSE lpad((100 + i * 37 % 800)::text, 3, '0') || '-' || lpad((i * 13 % 100)::text, 2, '0') || '-' || lpad((i * 7919 % 10000)::text, 4, '0') END,
       '+41 44 ' || lpad((i * 31 % 1000)::text, 3, '0') || ' ' || lpad((i * 17 % 100)::text, 2, '0') || ' ' || lpad((i * 71 % 100)::text, 2, '0'),
       (ARRAY['CH','DE','FR','IT','AT','NO','PT'])[1 + i % 7],
       (i * 7351 % 500000) / 100.0
  FROM generate_series(1, 250) AS i;
INSERT INTO public.orders
SELECT i, 1 + (i * 7) % 250, (100 + i * 1237 % 90000) / 100.0,
       (ARRAY['paid','paid','shipped','delivered','refunded','open'])[1 + i % 6],
       timestamptz '2026-01-01 08:00:00+00' + i * interval '5 hours 7 minutes',
       CASE WHEN i % 3 = 0 THEN jsonb_build_object('gift', i % 2 = 0, 'items', 1 + i % 5) END
  FROM generate_series(1, 1000) AS i;
INSERT INTO public.employees
SELECT i, (ARRAY['Anna Keller','Bruno Frei','Celia Baum','Dario Lenz','Edith Graf','Felix Amsler','Gina Huber','Henrik Moser'])[1 + i % 8] || ' ' || i,
       'employee' || i || '@shop.example', 60000 + (i * 3571 % 80000), date '2012-03-01' + (i * 97 % 5000)
  FROM generate_series(1, 40) AS i;
INSERT INTO public.secrets
SELECT i, 'sk_demo_' || md5('secret ' || i) FROM generate_series(1, 12) AS i;
CREATE INDEX ON public.orders (customer_id);
ANALYZE;
`;
