/** The edge in a process of its own, so that it can be killed at any instant. Its settings come on standard input. */
import { text } from "node:stream/consumers";
import { bundleWorker } from "../../scripts/bundle-worker.ts";
import { type EdgeSettings, runEdge } from "../../scripts/run-edge.ts";
import { withStoreFaults } from "./store-faults.ts";

const settings = JSON.parse(await text(process.stdin)) as EdgeSettings;
const edge = await runEdge(settings, withStoreFaults(await bundleWorker()));
console.log("ready");
process.on("SIGTERM", () => void edge.stop().then(() => process.exit(0)));
