/** TypeORM with schemas in place of decorators. */
import { DataSource, EntitySchema } from "typeorm";

const Order = new EntitySchema({
  name: "Order",
  tableName: "orders",
  columns: { id: { type: Number, primary: true }, customer_id: { type: Number }, status: { type: String } },
  relations: {
    customer: {
      type: "many-to-one",
      target: "Customer",
      joinColumn: { name: "customer_id" },
      inverseSide: "orders",
    },
  },
});
const Customer = new EntitySchema({
  name: "Customer",
  tableName: "customers",
  columns: {
    id: { type: Number, primary: true },
    email: { type: String },
    ssn: { type: String, nullable: true },
    country: { type: String },
  },
  relations: { orders: { type: "one-to-many", target: "Order", inverseSide: "customer" } },
});
const Secret = new EntitySchema({
  name: "Secret",
  tableName: "secrets",
  columns: { id: { type: Number, primary: true }, token: { type: String } },
});

const data = new DataSource({ type: "postgres", url: process.argv[2]!, entities: [Order, Customer, Secret] });
await data.initialize();
// biome-ignore lint/suspicious/noExplicitAny: what an error of a library holds
const refusal = (error: any): string => error.driverError?.code ?? String(error);
const [customer] = (await data.getRepository(Customer).find({
  where: { id: 7 },
  relations: { orders: true },
  order: { orders: { id: "ASC" } },
  // biome-ignore lint/suspicious/noExplicitAny: schemas without classes
})) as any[];
const found = {
  read: [
    {
      id: customer.id,
      email: customer.email,
      ssn: customer.ssn,
      orders: customer.orders.map(({ id }: { id: number }) => ({ id })),
    },
  ],
  counted: await data.getRepository(Order).countBy({ customer_id: 7 }),
  grouped: (
    await data
      .getRepository(Customer)
      .createQueryBuilder("c")
      .select("c.country")
      .groupBy("c.country")
      .getRawMany()
  ).length,
  raw: await data.query("select ssn from customers where id = $1", [7]),
  updated: await data
    .transaction(async (tx) => {
      await tx.update(Order, { id: 5 }, { status: "held" });
      // biome-ignore lint/suspicious/noExplicitAny: schemas without classes
      throw new Error(((await tx.findOneByOrFail(Order, { id: 5 })) as any).status);
    })
    .catch((error: Error) => error.message),
  // biome-ignore lint/suspicious/noExplicitAny: schemas without classes
  after: ((await data.getRepository(Order).findOneByOrFail({ id: 5 })) as any).status,
  denied: await data
    .getRepository(Secret)
    .find()
    .then(() => "shown", refusal),
  twice: await data
    .getRepository(Order)
    .update({ id: 5 }, { id: 6 })
    .then(
      () => "done",
      // biome-ignore lint/suspicious/noExplicitAny: what an error of a library holds
      (error: any) => [error.driverError?.code, error.driverError?.constraint],
    ),
  deleted: await data
    .getRepository(Order)
    .delete({ id: 5 })
    .then(() => "done", refusal),
};
await data.destroy();
console.log(JSON.stringify(found));
