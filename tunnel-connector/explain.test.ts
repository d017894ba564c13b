import { describe, expect, test } from "vitest";
import { planOf } from "./explain.ts";

describe("a plan for who decides", () => {
  test("has nodes, relations, indexes and estimates, and no expression or value", () => {
    const plan = planOf([
      {
        Plan: {
          ...{ "Node Type": "ModifyTable", Operation: "Update", "Relation Name": "orders", Schema: "public" },
          ...{ "Plan Rows": 0, "Total Cost": 8.3, Output: ["'hidden'"] },
          Plans: [
            {
              ...{ "Node Type": "Index Scan", "Relation Name": "orders", Schema: "public", Alias: "secret" },
              ...{ "Index Name": "orders_pkey", "Plan Rows": 3, "Total Cost": 8.2 },
              ...{ "Index Cond": "(id = 123456)", Filter: "(ssn = '078-05-1120')" },
            },
          ],
        },
      },
    ]);
    expect(plan).toEqual({
      ...{ node: "Update", on: "public.orders", index: null, rows: 0, cost: 8.3 },
      plans: [
        {
          ...{ node: "Index Scan", on: "public.orders", index: "orders_pkey", rows: 3, cost: 8.2, plans: [] },
        },
      ],
    });
    expect(JSON.stringify(plan)).not.toMatch(/hidden|secret|123456|078/);
  });

  test("that is none, too deep or too large is none", () => {
    expect(planOf(null)).toBeNull();
    expect(planOf([{}])).toBeNull();
    expect(planOf([{ Plan: { "Node Type": 1 } }])).toBeNull();
    let deep: object = { "Node Type": "Result" };
    for (let i = 0; i < 30; i++) deep = { "Node Type": "Result", Plans: [deep] };
    expect(planOf([{ Plan: deep }])).toBeNull();
    const wide = {
      "Node Type": "Append",
      Plans: Array.from({ length: 300 }, () => ({ "Node Type": "Result" })),
    };
    expect(planOf([{ Plan: wide }])).toBeNull();
  });
});
