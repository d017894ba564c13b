/** What it costs to decide an INSERT of many rows. */
import { expect, test } from "vitest";
import { sqlTask } from "../../test/support/corpus-task.ts";
import { madeCatalog, madeTable } from "../../test/support/made-catalog.ts";
import { testParser } from "../../test/support/parser.ts";
import { createDecider } from "./decide.ts";

const parser = await testParser();

test.each([null, "x = 1"])(
  "an INSERT of many rows costs what its rows cost, with the row rule %s",
  (rows) => {
    const relation = madeTable("public", "many", { id: "integer", x: "integer", y: "text" });
    const rules = [
      { relation: "many", rows },
      { verb: "insert" as const, relation: "many", rows },
    ];
    const options = { task: sqlTask(rules), catalog: madeCatalog([relation]), parser, cacheSize: 1 };
    const least = (count: number) => {
      const values = Array.from({ length: count }, (_, n) => `(${n}, 1, 'y${n}')`);
      const times = [1, 2, 3].map(() => {
        const started = process.cpuUsage();
        const { effect } = createDecider(options).decide(`INSERT INTO many VALUES ${values.join(", ")}`);
        expect(effect).toBe("allow");
        const { user, system } = process.cpuUsage(started);
        return user + system;
      });
      return Math.min(...times);
    };
    // Eight times the rows cost 64 times as much when each row reads all of those behind it.
    expect(least(2400) / least(300)).toBeLessThan(28);
  },
);
