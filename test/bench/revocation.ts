/** From the requester's revoke through the API to the last byte of each of its sessions: 200 at once. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { BenchClient, simple } from "./client.ts";
import type { Lab } from "./lab.ts";
import { settled } from "./processor.ts";
import { figure, type Report, verdict } from "./report.ts";
import { percentile } from "./statistics.ts";

const SESSIONS = 200;
const ROUNDS = 2;
const STATES = ["idle", "in a result", "in a transaction"] as const;
type State = (typeof STATES)[number];
const PATIENCE_MS = 20_000;

export async function revocation(lab: Lab): Promise<Report> {
  const times: Record<State, number[]> = { idle: [], "in a result": [], "in a transaction": [] };
  const answers: number[] = [];
  for (let round = 0; round < ROUNDS; round++) answers.push(await revokeOnce(lab, times));
  const line = (name: string, values: readonly number[]): string[] => {
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(values, share)) as [
      number,
      number,
      number,
    ];
    return [
      name,
      String(values.length),
      figure(p50),
      figure(p99),
      figure(max),
      verdict("<", 1000, p99, " ms"),
    ];
  };
  return {
    tables: [
      {
        head: [
          "connections closed after the revoke",
          "number",
          "p50, ms",
          "p99, ms",
          "last, ms",
          "target, p99",
        ],
        rows: [
          ...STATES.map((state) => line(state, times[state])),
          line("all", Object.values(times).flat()),
          [
            "the API's own answer",
            String(answers.length),
            figure(percentile(answers, 0.5)),
            "",
            figure(Math.max(...answers)),
            "",
          ],
        ],
      },
    ],
    notes: [
      `${ROUNDS} rounds of ${SESSIONS} sessions of one grant on one connector. A connection counts as closed when the client's own socket is; a client in a result has stopped reading before, reads on at the revoke, and has all that was on its way to it to read before it sees the end. Those are in a process of their own. The API answers when every connector has left its targets.`,
    ],
  };
}

/** Returns how long the API took to answer, ms. */
async function revokeOnce(lab: Lab, times: Record<State, number[]>): Promise<number> {
  const system = await lab.system();
  const address = await lab.task("plain");
  const each = Math.floor(SESSIONS / STATES.length);
  const open: { client: BenchClient; state: State }[] = [];
  const readers = await lab.program("readers.ts", JSON.stringify(address), String(each));
  try {
    while (open.length < SESSIONS - each) {
      const some = Math.min(20, SESSIONS - each - open.length);
      const opened = await Promise.all(Array.from({ length: some }, () => BenchClient.open(address)));
      for (const client of opened)
        open.push({ client, state: open.length % 2 === 0 ? "idle" : "in a transaction" });
    }
    for (const { client, state } of open)
      if (state === "in a transaction")
        await client.request(simple("BEGIN; SELECT id FROM accounts WHERE id = 1"));
    await settled();
    const { body } = await system.api("ben", "/api/sessions?open&limit=1");
    const grant = (body.sessions as { grant: string }[])[0]!.grant;
    const start = performance.now();
    const closed = open.map(async ({ client, state }) => {
      await client.closed();
      times[state].push(performance.now() - start);
    });
    const read = once(createInterface({ input: readers.child.stdout! }), "line");
    const asked = system.api("ben", `/api/requests/${grant}/revoke`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    readers.child.stdin!.write("read on\n");
    const { status } = await asked;
    const answered = performance.now() - start;
    if (status !== 200) throw new Error(`the revoke was answered ${status}`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("sessions outlived their grant")), PATIENCE_MS);
    });
    const [[line]] = (await Promise.race([Promise.all([read, ...closed]), late]).finally(() =>
      clearTimeout(timer),
    )) as unknown as [[string]];
    for (const at of JSON.parse(line) as number[])
      times["in a result"].push(at - performance.timeOrigin - start);
    return answered;
  } finally {
    for (const { client } of open) client.close();
    readers.child.kill();
  }
}
