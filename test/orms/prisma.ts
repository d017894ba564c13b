/** Prisma with its query compiler in WASM and the pg driver; its generated client is made beside this file. */
import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "./generated/client.ts";

const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.argv[2]! }) });

/** The SQLSTATE somewhere in an error's causes. */
const refusal = (error: unknown): string =>
  /42501/.exec(JSON.stringify(error, Object.getOwnPropertyNames(error)) + String(error))?.[0] ??
  String(error);

const found = {
  read: await prisma.customers.findMany({
    where: { id: 7 },
    select: { id: true, email: true, ssn: true, orders: { select: { id: true }, orderBy: { id: "asc" } } },
  }),
  counted: await prisma.orders.count({ where: { customer_id: 7 } }),
  grouped: (await prisma.customers.groupBy({ by: ["country"], _count: true, orderBy: { country: "asc" } }))
    .length,
  raw: await prisma.$queryRaw`select ssn from customers where id = ${7}`,
  updated: await prisma
    .$transaction(async (tx: typeof prisma) => {
      const { status } = await tx.orders.update({
        where: { id: 5 },
        data: { status: "held" },
        select: { status: true },
      });
      throw new Error(status);
    })
    .catch((error: Error) => error.message),
  after: (await prisma.orders.findUnique({ where: { id: 5 }, select: { status: true } })).status,
  denied: await prisma.secrets.findMany().then(() => "shown", refusal),
  // What an application shows beside the field that was wrong.
  twice: await prisma.orders.update({ where: { id: 5 }, data: { id: 6 } }).then(
    () => "done",
    // biome-ignore lint/suspicious/noExplicitAny: what an error of a library holds
    (error: any) => [error.code, JSON.stringify(error.meta)],
  ),
  deleted: await prisma.orders.delete({ where: { id: 5 } }).then(() => "done", refusal),
};
await prisma.$disconnect();
console.log(JSON.stringify(found));
