/** The loops of the decision benchmark, the same in Node and in workerd. */
import type { StatementDecider } from "../../policies/postgres/decision.ts";

export interface Measured {
  readonly count: number;
  readonly allowed: number;
}

/** A statement of 300 characters; another text for each `n`. */
export function statement(n: number): string {
  const text =
    "SELECT a.country, count(*) AS accounts, sum(a.balance) AS total, max(b.note) AS latest FROM accounts a " +
    "JOIN accounts b ON b.id = a.id AND b.balance > 10 WHERE a.id BETWEEN 1 AND 100 AND a.email LIKE 'u%' " +
    `GROUP BY a.country HAVING count(*) > 1 ORDER BY total DESC LIMIT 10 -- ${n} `;
  return text.padEnd(300, ".").slice(0, 300);
}

/** By a decider that takes nothing from texts of the same shape. */
export function cold(decider: StatementDecider, count: number, round: number): Measured {
  let allowed = 0;
  for (let i = 0; i < count; i++) {
    if (decider.decide(statement((round + 2) * 100_000 + i)).effect === "allow") allowed += 1;
  }
  return { count, allowed };
}

/** The statement with another value and another comment each time. */
export function shaped(decider: StatementDecider, count: number, round: number): Measured {
  let allowed = 0;
  for (let i = 0; i < count; i++) {
    const text = statement(i).replace("BETWEEN 1 AND 100", `BETWEEN ${i} AND ${(round + 2) * 1_000_000 + i}`);
    if (decider.decide(text).effect === "allow") allowed += 1;
  }
  return { count, allowed };
}

export function known(decider: StatementDecider, count: number): Measured {
  // As the gate sees it: the text is decoded from bytes each time, so it is never the same string object.
  const texts = Array.from({ length: 50 }, (_, i) => statement(i));
  for (const text of texts) decider.decide(text);
  let allowed = 0;
  const bytes = texts.map((text) => new TextEncoder().encode(text));
  const decoder = new TextDecoder();
  for (let i = 0; i < count; i++) {
    if (decider.decide(decoder.decode(bytes[i % 50]!)).effect === "allow") allowed += 1;
  }
  return { count, allowed };
}
