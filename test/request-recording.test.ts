/**
 * R2 the connector is killed in a session of requests while the edge's last words are on their way to it: the recording
 * breaks off, the log says up to which message the target had answered, and the verifier states the gap.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeConnectorConfig } from "../client/dev/connector-process.ts";
import { openBundleFile } from "../client/recording/bundle.ts";
import { edgeApi } from "../client/recording/edge.ts";
import { exportRecording } from "../client/recording/export.ts";
import { trustedKeys } from "../client/recording/proven-entries.ts";
import { type Report, verifyRecording } from "../client/recording/verify.ts";
import { compileLibrary } from "../policies/compile.ts";
import { problemText } from "../policies/problem.ts";
import { formatVerifierKey, publicKeyFromJwk } from "../wire/log/note.ts";
import { connectorVerifier } from "../wire/log/statement.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";

const PROGRAM = join(import.meta.dirname, "..", "tunnel-connector", "main.ts");
const folder = mkdtempSync(join(tmpdir(), "wicket-requests-"));
let service: Server;
let lab: EdgeLab;
let connector: ChildProcess | null = null;
let config = "";

const task = `version: 1
task: orders
description: test
owner: test
who: { groups: [support] }
resource: orders-api
allow:
  - { methods: [GET], paths: ["/v1/orders/{id}"] }
`;

beforeAll(async () => {
  service = createServer((_, response) => response.end('{"fine":true}'));
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const compiled = compileLibrary(
    new Map([
      ["resources.yaml", "version: 1\nresources: { orders-api: { type: http, connector: demo } }\n"],
      ["tasks/orders.yaml", task],
    ]),
  );
  if (!compiled.ok) throw new Error(compiled.problems.map(problemText).join("\n"));
  lab = await startEdgeLab({ bundle: compiled.library.bundle });
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  config = writeConnectorConfig({
    ...{ folder: join(folder, "connector"), name: "demo", edge: lab.origin, password: null },
    resources: { "orders-api": { type: "http", url } },
  });
  const { body } = await lab.call("ada", "POST", "/api/connectors/demo/enrolment", {});
  await startConnector(body.code);
});
afterAll(async () => {
  connector?.kill("SIGKILL");
  await lab?.stop();
  service?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startConnector(code: string | null): Promise<void> {
  const options = code === null ? [] : ["--code-file", "-"];
  const child = spawn(process.execPath, [PROGRAM, "run", "--config", config, ...options], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  connector = child;
  child.stdin!.end(code ?? "");
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr! }).on("line", (line) => {
      if (line.includes('"online"')) resolve();
    });
    child.once("exit", (code) => reject(new Error(`the connector ended (${code})`)));
  });
}

async function ask(path: string): Promise<number> {
  const headers = { authorization: `Bearer ${await lab.token("tina")}`, "wicket-task": "orders" };
  const answer = await fetch(`${lab.origin}/http/orders-api${path}`, { headers });
  await answer.text();
  return answer.status;
}

/** What the verifier says of a session's recording. */
async function verified(session: string): Promise<Report> {
  const token = await lab.token("tina");
  const api = edgeApi(lab.origin, () => token);
  const file = join(folder, `${session}.zip`);
  await lab.until(
    async () => (await lab.call("tina", "GET", `/api/sessions/${session}/recording`)).body.final,
    "the end of the recording",
  );
  await lab.until(async () => {
    rmSync(file, { force: true });
    return await exportRecording(api, session, file, Date.now()).catch(() => null);
  }, "the export");
  const { x } = JSON.parse(readFileSync(join(folder, "connector", "state", "key.json"), "utf8"));
  const verifier = connectorVerifier("demo", publicKeyFromJwk({ kty: "OKP", crv: "Ed25519", x })!)!;
  const log = (await (await fetch(`${lab.origin}/log/key`)).text()).trim();
  const trusted = trustedKeys([log, formatVerifierKey(verifier)]);
  if (!trusted.ok) throw new Error(trusted.bad);
  const { bundle, close } = openBundleFile(file);
  const report = await verifyRecording(bundle, trusted.keys);
  close();
  return report;
}

test("R2 messages of the edge that a killed connector had not written are a stated gap", async () => {
  expect(await ask("/v1/orders/1")).toBe(200);
  expect(await ask("/v1/orders/2")).toBe(200);
  const { body } = await lab.call("tina", "GET", "/api/sessions?open");
  const session = body.sessions[0].id as string;
  // It reads nothing any more: what the edge refuses by itself is recorded by nobody.
  connector!.kill("SIGSTOP");
  for (let n = 0; n < 5; n++) expect(await ask("/v1/secrets")).toBe(403);
  const ended = new Promise((resolve) => connector!.once("exit", resolve));
  connector!.kill("SIGKILL");
  await ended;
  await startConnector(null);
  const report = await verified(session);
  expect(report.checks.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
  const completeness = report.checks.find(({ property }) => property === "completeness")!;
  expect(completeness).toMatchObject({ verdict: "GAP STATED" });
  expect(completeness.detail).toContain("CONNECTOR_RESTARTED");
  expect(report).toMatchObject({ ok: true, complete: false, session });
  // The grant goes on with a session of its own.
  expect(await ask("/v1/orders/3")).toBe(200);
}, 90_000);
