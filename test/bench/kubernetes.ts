/**
 * The cluster door against a bare relay of the same hops: the same Worker, object, channel and connector, with no
 * decision, no mask and no record (test/apiserver/door-worker.ts). The API server is this repository's stand-in.
 */
import WebSocket from "ws";
import type { Door } from "../apiserver/door.ts";
import { admission } from "./admission.ts";
import { LINES, load, PODS_PATH, room, startCluster, type Timed, WAYS, type Way } from "./cluster-lab.ts";
import type { Lab } from "./lab.ts";
import { familyTime } from "./processor.ts";
import { figure, type Report, ratioText, verdict } from "./report.ts";
import { interleave, ratios, spread } from "./statistics.ts";

const TARGET = 0.8;

export async function kubernetes(lab: Lab): Promise<Report> {
  const admitted = await admission();
  const open = await startCluster(lab);
  const door = await open();
  lab.stops.add(() => door.close());
  const rows: string[][] = [];
  const compare = async (
    name: string,
    ways: readonly Way[],
    rounds: number,
    what: keyof Timed,
    run: (way: Way) => Promise<Timed>,
  ): Promise<void> => {
    for (const way of ways) await run(way);
    const spent = { relay: 0, plain: 0, masked: 0 };
    const times = await interleave(ways, rounds, async (way) => {
      const before = familyTime();
      const time = (await run(way))[what];
      spent[way] += familyTime() - before;
      return time;
    });
    for (const way of ways.slice(1)) {
      // Of speeds: the relay's time over the door's.
      const ratio = ratios(times.relay, times[way]);
      rows.push([
        name + (way === "masked" ? ", masked" : ""),
        figure(spread(times.relay).median),
        figure(spread(times[way]).median),
        ratioText(ratio),
        verdict("≥", TARGET, ratio.median),
        figure(spent.relay / spent[way]),
      ]);
    }
  };
  const get = (path: string) => (way: Way) => load(door, room(way) + path);
  await compare("get a pod", WAYS, 25, "total", get(`${PODS_PATH}/load-00000`));
  await compare("list 5,000 pods, first byte", WAYS, 7, "first", get(PODS_PATH));
  await compare("list 5,000 pods, all of it", WAYS, 15, "total", get(PODS_PATH));
  // Each watch ends by itself, after a second.
  await compare("watch, first event", WAYS, 7, "first", (way) =>
    load(
      door,
      `${room(way)}${PODS_PATH}?watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Dload-00000`,
    ),
  );
  const exec = (command: string) => (way: Way) => execute(door, room(way), command);
  await compare("exec, first byte", ["relay", "plain"], 11, "first", exec("command=echo&command=hello"));
  await compare(
    "exec, 7 MB of output",
    ["relay", "plain"],
    21,
    "total",
    exec(`command=seq&command=${LINES}`),
  );
  return {
    tables: [
      {
        head: [
          "request",
          "bare relay, ms",
          "the door, ms",
          "speed ÷ relay's",
          "target",
          "processor time, relay's ÷",
        ],
        rows,
      },
      admitted,
    ],
  };
}

/** Runs a command in a pod and reads its output to the end. */
function execute(door: Door, room: string, command: string): Promise<Timed> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const url = `${door.url.replace("https", "wss")}${room}${PODS_PATH}/load-00000/exec?${command}&stdout=true`;
    const socket = new WebSocket(url, ["v5.channel.k8s.io"], {
      ...{ ca: door.ca, headers: { authorization: `Bearer ${door.token}` }, perMessageDeflate: false },
    });
    let first = 0;
    let succeeded = false;
    socket.on("message", (data: Buffer) => {
      if (data[0] === 1 && data.length > 1) first ||= performance.now() - start;
      if (data[0] === 3) succeeded = data.toString().includes("Success");
    });
    socket.on("error", reject);
    // The status is the last word; the close that follows it is the transport's.
    socket.on("message", (data: Buffer) => {
      if (data[0] !== 3) return;
      const total = performance.now() - start;
      socket.close();
      if (succeeded) resolve({ first, total });
      else reject(new Error(`exec ended with ${data.toString()}`));
    });
  });
}
