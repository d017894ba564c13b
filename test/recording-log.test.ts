/** A session's way into the log, out as a bundle, and through the command line's verifier. Real edge and database. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { register } from "../client/recording/commands.ts";
import type { Report } from "../client/recording/verify.ts";
import { toBase64, utf8 } from "../wire/log/bytes.ts";
import { openCheckpoint } from "../wire/log/checkpoint.ts";
import {
  formatVerifierKey,
  NOTE_ED25519,
  noteSigner,
  parseVerifierKey,
  publicKeyFromJwk,
} from "../wire/log/note.ts";
import { connectorKeyName, connectorVerifier, signStatement } from "../wire/log/statement.ts";
import type { SealedSegment } from "../wire/recording.ts";
import { type Bridge, startBridge } from "./support/edge-client.ts";
import { PostgresTarget, segmentsOf, TestConnector } from "./support/edge-connector.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";
import { startPostgres, type TestPostgres } from "./support/postgres.ts";

let server: TestPostgres;
let lab: EdgeLab;
let bridge: Bridge;
let connector: TestConnector;
let target: PostgresTarget;
let publicKey: Uint8Array;
let privateKey: CryptoKey;
const folder = mkdtempSync(join(tmpdir(), "wicket-recording-"));

beforeAll(async () => {
  server = await startPostgres();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`
    CREATE TABLE public.customers (id int PRIMARY KEY, email text, ssn text, phone text, country char(2), balance numeric(12,2));
    CREATE TABLE public.orders (id int PRIMARY KEY, customer_id int, total numeric(10,2), status text, created_at timestamptz, note jsonb);
    CREATE TABLE public.employees (id int PRIMARY KEY, name text, email text, salary int, hired date);
    INSERT INTO orders SELECT i, 7, i, 'paid', now(), '{}' FROM generate_series(1, 100) i`);
  await admin.end();
  lab = await startEdgeLab();
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(pair.publicKey);
  publicKey = publicKeyFromJwk(jwk as { kty: string })!;
  privateKey = pair.privateKey;
  // The class makes its own key, and keeps it: this test has to sign with it.
  const Connector = TestConnector as unknown as new (
    name: string,
    origin: string,
    key: CryptoKey,
    publicKey: JWK,
  ) => TestConnector;
  connector = new Connector("demo", lab.origin, privateKey, jwk);
  await connector.enrol(lab);
  target = new PostgresTarget(server.port, "postgres");
  connector.onDial = target.serve;
  await connector.online(lab);
  // A task of the library: the ones that the lab makes up have made-up digests, which the verifier would refuse.
  bridge = await startBridge(lab, { task: "orders-analyst" });
});

afterAll(async () => {
  await bridge?.stop();
  connector?.close();
  await lab?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** One session: a few statements, then its recording as the connector wrote it. */
async function record(): Promise<{ id: string; segments: SealedSegment[] }> {
  const before = bridge.sessions.length;
  const client = new pg.Client({ host: "127.0.0.1", port: bridge.port, user: "x", database: "postgres" });
  await client.connect();
  await client.query("SELECT count(*) FROM public.orders");
  await expect(client.query("SELECT * FROM public.secrets")).rejects.toThrow();
  await client.end();
  const id = bridge.sessions[before]!;
  await lab.until(async () => {
    const { body } = await lab.call("ana", "GET", `/api/sessions/${id}`);
    return body.ended !== null && body.end_code !== null;
  }, "the end of the session");
  return { id, segments: segmentsOf(id, target.recordings.get(id)!) };
}

async function upload(
  id: string,
  segments: readonly SealedSegment[],
  statement: string | null,
): Promise<void> {
  for (const segment of segments) {
    const digest = createHash("sha256").update(segment.bytes).digest("base64");
    const headers: Record<string, string> = {
      authorization: `Bearer ${await connector.token()}`,
      "content-digest": `sha-256=:${digest}:`,
    };
    if (segment.header.final && statement !== null) headers["wicket-statement"] = toBase64(utf8(statement));
    const answer = await fetch(`${lab.origin}/connector/recordings/${id}/${segment.sequence}`, {
      ...{ method: "PUT", headers, body: segment.bytes as Uint8Array<ArrayBuffer> },
    });
    expect([200, 201], await answer.text()).toContain(answer.status);
  }
}

function statementOf(id: string, segments: readonly SealedSegment[]): Promise<string | null> {
  const { header, digest } = segments.at(-1)!;
  const { frontend, backend } = header;
  const roots = {
    frontend: { entries: frontend.next, root: frontend.root },
    backend: { entries: backend.next, root: backend.root },
  };
  const signer = noteSigner(connectorKeyName("demo"), NOTE_ED25519, publicKey, privateKey)!;
  return signStatement({ session: id, roots, segments: segments.length, last: digest }, signer);
}

/** Runs `wicket recording …` and returns what it printed and its exit code. */
async function wicket(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const program = new Command("wicket").exitOverride();
  register(program, { out: (text) => void out.push(text), err: (text) => void err.push(text) });
  process.exitCode = 0;
  await program.parseAsync(["recording", ...args], { from: "user" });
  const code = Number(process.exitCode);
  process.exitCode = 0;
  return { code, out: out.join("\n"), err: err.join("\n") };
}

const keys = async () => {
  const log = (await (await fetch(`${lab.origin}/log/key`)).text()).trim();
  return { log, connector: formatVerifierKey(connectorVerifier("demo", publicKey)!) };
};

test("a session is exported and verified, and one changed byte ends with exit code 7", async () => {
  const { id, segments } = await record();
  await upload(id, segments, await statementOf(id, segments));
  const token = join(folder, "token");
  writeFileSync(token, await lab.token("ana"));
  const file = join(folder, `${id}.zip`);
  const exported = await wicket("export", id, "-o", file, "--edge", lab.origin, "--token", token);
  expect(exported, exported.err).toMatchObject({ code: 0 });

  const known = await keys();
  const trust = ["--key", known.log, "--key", known.connector];
  const verified = await wicket("verify", file, ...trust, "--json");
  const report = JSON.parse(verified.out) as Report;
  expect(report.checks.filter((one) => one.verdict === "FAIL")).toEqual([]);
  expect(report).toMatchObject({ ok: true, session: id });
  expect(verified.code).toBe(0);
  expect(report.checks.find((one) => one.property === "edge's root")?.verdict).toBe("PASS");

  const bytes = readFileSync(file);
  bytes[Math.floor(bytes.length / 2)]! ^= 1;
  const changed = join(folder, "changed.zip");
  writeFileSync(changed, bytes);
  expect((await wicket("verify", changed, ...trust)).code).toBe(7);
  expect((await wicket("verify", file, "--key", known.log)).code).toBe(7);
  expect((await wicket("verify", file, "--key", "nonsense")).code).toBe(2);
  expect((await wicket("export", id, "-o", file, "--edge", lab.origin, "--token", token)).code).toBe(1);
});

test("without the connector's statement the recording does not pass", async () => {
  const { id, segments } = await record();
  await upload(id, segments, null);
  const token = join(folder, "token");
  writeFileSync(token, await lab.token("ana"));
  const file = join(folder, `${id}.zip`);
  expect((await wicket("export", id, "-o", file, "--edge", lab.origin, "--token", token)).code).toBe(0);
  const known = await keys();
  const verified = await wicket("verify", file, "--key", known.log, "--key", known.connector);
  expect(verified.code).toBe(7);
  expect(verified.out).toMatch(/FAIL\s+connector's statement\s+the connector's statement is missing/);
});

test("the log is read by anyone, its entries by administrators only", async () => {
  const known = await keys();
  const answer = await fetch(`${lab.origin}/log/checkpoint`);
  const opened = await openCheckpoint(utf8(await answer.text()), parseVerifierKey(known.log)!);
  if (!opened.ok) throw new Error(opened.message);
  const width = opened.checkpoint.size % 256;
  const tile = await fetch(`${lab.origin}/log/tile/0/000.p/${width}`);
  expect((await tile.arrayBuffer()).byteLength).toBe(width * 32);
  const entries = `/log/tile/entries/000.p/${width}`;
  expect((await lab.call(null, "GET", entries)).status).toBe(401);
  expect((await lab.call("ana", "GET", entries)).status).toBe(403);
  expect((await lab.call("ada", "GET", entries)).status).toBe(200);
  expect((await lab.call(null, "GET", "/log/tile/0/1")).status).toBe(404);
  expect((await lab.call("omar", "GET", `/api/sessions/${bridge.sessions[0]}/recording/proof`)).status).toBe(
    404,
  );
});
