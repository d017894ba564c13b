/** The edge in a process of its own, so that it can be killed at any instant. Its settings come on standard input. */
import { text } from "node:stream/consumers";
import { type EdgeSettings, runEdge } from "../../scripts/run-edge.ts";

const edge = await runEdge(JSON.parse(await text(process.stdin)) as EdgeSettings);
console.log("ready");
process.on("SIGTERM", () => void edge.stop().then(() => process.exit(0)));
