/** The edge with a database and a connector whose key the test has: sessions, their recordings, and the command line. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import pg from "pg";
import { expect } from "vitest";
import { register } from "../../client/recording/commands.ts";
import { toBase64, utf8 } from "../../wire/log/bytes.ts";
import { formatVerifierKey, NOTE_ED25519, noteSigner, publicKeyFromJwk } from "../../wire/log/note.ts";
import { connectorKeyName, connectorVerifier, signStatement } from "../../wire/log/statement.ts";
import { type RecordingEntry, type SealedSegment, SegmentWriter } from "../../wire/recording.ts";
import { startBridge } from "./edge-client.ts";
import { PostgresTarget, TestConnector } from "./edge-connector.ts";
import { type EdgeLab, startEdgeLab } from "./edge-lab.ts";
import { LIBRARY_TABLES } from "./library-tables.ts";
import { startPostgres } from "./postgres.ts";

/** A session that is over, and its recording as the connector wrote it. */
export interface Recorded {
  readonly id: string;
  readonly segments: readonly SealedSegment[];
}

/** What a command of the command line did. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RecordedEdge {
  readonly lab: EdgeLab;
  /** The sessions that began, in order. */
  readonly sessions: readonly string[];
  /** A folder of this test, taken away at the end. */
  readonly folder: string;
  /** One session of a few statements, its recording in `parts` segments. */
  record(parts?: number): Promise<Recorded>;
  /** Brings a recording to the edge; `statement` null: the connector signs nothing. */
  upload(recorded: Recorded, statement?: string | null): Promise<void>;
  /** The connector's signature under a recording. */
  statementOf(recorded: Recorded): Promise<string | null>;
  /** Runs `wicket recording …`. */
  wicket(...args: string[]): Promise<Ran>;
  /** Exports a session to this file of the folder. */
  export(id: string, name: string): Promise<Ran & { readonly file: string }>;
  /** The public keys, as they stand on a command line. */
  keys(): Promise<{ readonly log: string; readonly connector: string }>;
  stop(): Promise<void>;
}

/** Starts all of it. */
export async function startRecordedEdge(): Promise<RecordedEdge> {
  const folder = mkdtempSync(join(tmpdir(), "wicket-recording-"));
  const server = await startPostgres();
  const admin = new pg.Client(server.url);
  await admin.connect();
  await admin.query(`${LIBRARY_TABLES}
    INSERT INTO orders SELECT i, 7, i, 'paid', now(), '{}' FROM generate_series(1, 100) i`);
  await admin.end();
  const lab = await startEdgeLab();
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(pair.publicKey);
  const publicKey = publicKeyFromJwk(jwk as { kty: string })!;
  // The class makes its own key, and keeps it: this test has to sign with it.
  const Connector = TestConnector as unknown as new (
    name: string,
    origin: string,
    key: CryptoKey,
    publicKey: JWK,
  ) => TestConnector;
  const connector = new Connector("demo", lab.origin, pair.privateKey, jwk);
  await connector.enrol(lab);
  const target = new PostgresTarget(server.port, "postgres");
  connector.onDial = target.serve;
  await connector.online(lab);
  // A task of the library: the ones that the lab makes up have made-up digests, which the verifier would refuse.
  const bridge = await startBridge(lab, { task: "orders-analyst" });
  const statementOf: RecordedEdge["statementOf"] = ({ id, segments }) => {
    const { header, digest } = segments.at(-1)!;
    const { frontend, backend } = header;
    const roots = {
      frontend: { entries: frontend.next, root: frontend.root },
      backend: { entries: backend.next, root: backend.root },
    };
    const signer = noteSigner(connectorKeyName("demo"), NOTE_ED25519, publicKey, pair.privateKey)!;
    return signStatement({ session: id, roots, segments: segments.length, last: digest }, signer);
  };
  return {
    ...{ lab, folder, statementOf, wicket, sessions: bridge.sessions },
    async record(parts = 1) {
      const before = bridge.sessions.length;
      const client = new pg.Client({
        ...{ host: "127.0.0.1", port: bridge.port, user: "x", database: "postgres" },
      });
      await client.connect();
      await client.query("SELECT count(*) FROM public.orders");
      await expect(client.query("SELECT * FROM public.secrets")).rejects.toThrow();
      await client.end();
      const id = bridge.sessions[before]!;
      await lab.until(async () => {
        const { body } = await lab.call("ana", "GET", `/api/sessions/${id}`);
        return body.ended !== null && body.end_code !== null;
      }, "the end of the session");
      return { id, segments: cut(id, target.recordings.get(id)!, parts) };
    },
    async upload(recorded, given) {
      const { id, segments } = recorded;
      const statement = given === undefined ? await statementOf(recorded) : given;
      for (const segment of segments) {
        const digest = createHash("sha256").update(segment.bytes).digest("base64");
        const headers: Record<string, string> = {
          authorization: `Bearer ${await connector.token()}`,
          "content-digest": `sha-256=:${digest}:`,
        };
        if (segment.header.final && statement !== null)
          headers["wicket-statement"] = toBase64(utf8(statement));
        const answer = await fetch(`${lab.origin}/connector/recordings/${id}/${segment.sequence}`, {
          ...{ method: "PUT", headers, body: segment.bytes as Uint8Array<ArrayBuffer> },
        });
        expect([200, 201], await answer.text()).toContain(answer.status);
      }
    },
    async export(id, name) {
      const token = join(folder, "token");
      writeFileSync(token, await lab.token("ana"));
      const file = join(folder, name);
      const ran = await wicket("export", id, "-o", file, "--edge", lab.origin, "--token", token);
      return { ...ran, file };
    },
    async keys() {
      const log = (await (await fetch(`${lab.origin}/log/key`)).text()).trim();
      return { log, connector: formatVerifierKey(connectorVerifier("demo", publicKey)!) };
    },
    async stop() {
      await bridge.stop();
      connector.close();
      await lab.stop();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Segments of about as many entries each. */
function cut(id: string, entries: readonly RecordingEntry[], parts: number): SealedSegment[] {
  const writer = new SegmentWriter(id);
  const sealed: SealedSegment[] = [];
  const each = Math.ceil(entries.length / parts);
  for (const [at, entry] of entries.entries()) {
    writer.add(entry);
    if ((at + 1) % each === 0 && at + 1 < entries.length) sealed.push(writer.seal(entry.at));
  }
  sealed.push(writer.seal(Date.now(), { reason: "ENDED" }));
  return sealed;
}

async function wicket(...args: string[]): Promise<Ran> {
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
