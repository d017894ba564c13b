/** Knex. */
import knex from "knex";

const db = knex({ client: "pg", connection: process.argv[2]! });
const refusal = (error: { code?: string }): string => error.code ?? String(error);
const [customer] = await db("customers").select("id", "email", "ssn").where({ id: 7 });
const found = {
  read: [{ ...customer, orders: await db("orders").select("id").where({ customer_id: 7 }).orderBy("id") }],
  counted: Number((await db("orders").count("* as n").where({ customer_id: 7 }))[0]!["n"]),
  grouped: (await db("customers").distinct("country")).length,
  raw: (await db.raw("select ssn from customers where id = ?", [7])).rows,
  updated: await db
    .transaction(async (tx) => {
      const [row] = await tx("orders").where({ id: 5 }).update({ status: "held" }).returning("status");
      throw new Error(row.status);
    })
    .catch((error: Error) => error.message),
  after: (await db("orders").where({ id: 5 }).first()).status,
  denied: await db("secrets")
    .select()
    .then(() => "shown", refusal),
  twice: await db("orders")
    .where({ id: 5 })
    .update({ id: 6 })
    .then(
      () => "done",
      // biome-ignore lint/suspicious/noExplicitAny: what an error of a library holds
      (error: any) => [error.code, error.constraint],
    ),
  deleted: await db("orders")
    .where({ id: 5 })
    .del()
    .then(() => "done", refusal),
};
await db.destroy();
console.log(JSON.stringify(found));
