/** The tables that the library's tasks name, empty: for tests of the whole system. */
export const LIBRARY_TABLES = `
  CREATE TABLE public.customers (id int PRIMARY KEY, email text, ssn text, phone text, country char(2), balance numeric(12,2));
  CREATE TABLE public.orders (id int PRIMARY KEY, customer_id int, total numeric(10,2), status text, created_at timestamptz, note jsonb);
  CREATE TABLE public.employees (id int PRIMARY KEY, name text, email text, salary int, hired date);`;
