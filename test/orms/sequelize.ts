/** Sequelize. */
import { DataTypes, Sequelize } from "sequelize";

const db = new Sequelize(process.argv[2]!, { logging: false, define: { timestamps: false } });
const Customer = db.define("customer", {
  id: { type: DataTypes.INTEGER, primaryKey: true },
  email: DataTypes.TEXT,
  ssn: DataTypes.TEXT,
  country: DataTypes.TEXT,
});
const Order = db.define("order", {
  id: { type: DataTypes.INTEGER, primaryKey: true },
  customer_id: DataTypes.INTEGER,
  status: DataTypes.TEXT,
});
const Secret = db.define("secret", {
  id: { type: DataTypes.INTEGER, primaryKey: true },
  token: DataTypes.TEXT,
});
Customer.hasMany(Order, { foreignKey: "customer_id" });
// biome-ignore lint/suspicious/noExplicitAny: what an error of a library holds
const refusal = (error: any): string => error.parent?.code ?? String(error);
const [customer] = (
  await Customer.findAll({ where: { id: 7 }, include: Order, order: [[Order, "id", "ASC"]] })
)
  // biome-ignore lint/suspicious/noExplicitAny: models without types
  .map((one) => one.toJSON() as any);
const found = {
  read: [
    {
      id: customer.id,
      email: customer.email,
      ssn: customer.ssn,
      orders: customer.orders.map(({ id }: { id: number }) => ({ id })),
    },
  ],
  counted: await Order.count({ where: { customer_id: 7 } }),
  grouped: (await Customer.findAll({ attributes: ["country"], group: ["country"] })).length,
  raw: (await db.query("select ssn from customers where id = $1", { bind: [7] }))[0],
  updated: await db
    .transaction(async (transaction) => {
      await Order.update({ status: "held" }, { where: { id: 5 }, transaction });
      // biome-ignore lint/suspicious/noExplicitAny: models without types
      throw new Error(((await Order.findByPk(5, { transaction })) as any).status);
    })
    .catch((error: Error) => error.message),
  // biome-ignore lint/suspicious/noExplicitAny: models without types
  after: ((await Order.findByPk(5)) as any).status,
  denied: await Secret.findAll().then(() => "shown", refusal),
  twice: await Order.update({ id: 6 }, { where: { id: 5 } }).then(
    () => "done",
    // biome-ignore lint/suspicious/noExplicitAny: what an error of a library holds
    (error: any) => [error.name, JSON.stringify([error.fields, error.parent?.constraint])],
  ),
  deleted: await Order.destroy({ where: { id: 5 } }).then(() => "done", refusal),
};
await db.close();
console.log(JSON.stringify(found));
