/** The edge over HTTP: what the doors refuse before anything else, and recordings that cannot be bent. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guessCatalog } from "../client/policy/catalog.ts";
import type { Dial } from "../wire/control.ts";
import { bareMessage, queryMessage } from "../wire/postgres/frontend.ts";
import { Frontend } from "../wire/postgres/messages.ts";
import { startupMessage } from "../wire/postgres/startup.ts";
import {
  MAX_STORED,
  type RecordingEntry,
  type SealedSegment,
  SegmentWriter,
  verifyChain,
} from "../wire/recording.ts";
import { encodeControl, recordLines, splitFrame } from "../wire/tunnel.ts";
import { type Door, DoorClient, doorSocket } from "./support/edge-client.ts";
import { opened, segmentsOf, TestConnector } from "./support/edge-connector.ts";
import { type EdgeLab, startEdgeLab } from "./support/edge-lab.ts";

let lab: EdgeLab;
let connector: TestConnector;

beforeAll(async () => {
  lab = await startEdgeLab();
  connector = await TestConnector.create("demo", lab.origin);
  await connector.enrol(lab);
  await connector.online(lab);
});

afterAll(async () => {
  connector?.close();
  await lab?.stop();
});

/** One request, byte for byte; the answer's status line and headers. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    const { hostname, port } = new URL(lab.origin);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = "";
    socket.on("data", (data) => {
      answer += data.toString("latin1");
      if (answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(answer));
    // Closed on while it still sends: what was answered before that counts.
    socket.on("error", () => {});
  });
}

async function refusal(door: Door): Promise<{ status: number; code: string }> {
  const socket = await doorSocket(lab, door);
  return opened(socket).then(
    () => {
      socket.terminate();
      return { status: 101, code: "" };
    },
    (error: { status: number; code: string }) => ({ status: error.status, code: error.code }),
  );
}

describe("refusals before the upgrade", () => {
  test.each<[string, Door, number, string]>([
    ["no task", { headers: { "wicket-task": "" } }, 400, "TASK_MISSING"],
    ["an unknown task", { task: "nope" }, 404, "TASK_UNKNOWN"],
    ["a task by a name of objects", { task: "constructor" }, 404, "TASK_UNKNOWN"],
    ["an unknown resource", { resource: "nope" }, 404, "RESOURCE_UNKNOWN"],
    ["a task of another group", { person: "omar" }, 403, "NOT_A_MEMBER"],
    [
      "a missing parameter",
      { person: "tina", task: "refund-investigation", reason: "INC-1" },
      400,
      "PARAM_MISSING",
    ],
    [
      "a parameter of the wrong type",
      { person: "tina", task: "refund-investigation", reason: "INC-1", params: "customer=7%20or%20true" },
      400,
      "PARAM_TYPE",
    ],
    [
      "a parameter that comes twice",
      { person: "tina", task: "refund-investigation", reason: "INC-1", params: "customer=7&customer=8" },
      400,
      "PARAMS_MALFORMED",
    ],
    [
      "no reason",
      { person: "tina", task: "refund-investigation", params: "customer=7" },
      400,
      "REASON_REQUIRED",
    ],
    ["no token", { headers: { authorization: "" } }, 401, "TOKEN_MISSING"],
    ["a token that is none", { token: "x" }, 401, "TOKEN_MALFORMED"],
  ])("%s", async (_name, door, status, code) => {
    expect(await refusal(door)).toEqual({ status, code });
  });

  test("H1 a foreign Origin, whatever the token", async () => {
    for (const origin of ["https://evil.example.com", "null", lab.origin.replace("127", "128")]) {
      expect(await refusal({ headers: { origin } })).toEqual({ status: 403, code: "ORIGIN_FOREIGN" });
    }
    const control = await connector.dialEdge("/connector/control", { origin: "https://evil.example.com" });
    await expect(opened(control)).rejects.toMatchObject({ status: 403, code: "ORIGIN_FOREIGN" });
  });

  test("H1 a cookie is no credential here, and beside a token it is refused (I12)", async () => {
    const cookie = "__Host-wicket=stolen";
    expect(await refusal({ headers: { authorization: "", cookie } })).toMatchObject({ status: 401 });
    expect(await refusal({ headers: { cookie } })).toMatchObject({ status: 401, code: "TOKEN_AMBIGUOUS" });
  });
});

test.each([
  "/db/orders-db%2f..%2fx",
  "/db/%252e%252e/x",
  "/db//orders-db",
  "//db/orders-db",
  "/db/orders-db;x=1",
  "/db/orders-db%00",
  "/db/%c0%ae%c0%ae/x",
  "/DB/orders-db",
  "/db/orders-db/",
  "/db/orders-db.",
])("H3 the path %s reaches nothing", async (path) => {
  const token = await lab.token("ana");
  const answer = await raw(
    `GET ${path} HTTP/1.1\r\nHost: ${new URL(lab.origin).host}\r\nAuthorization: Bearer ${token}\r\n` +
      "Wicket-Task: unlimited\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
});

test("H3 what the runtime resolves before the edge sees it is decided as what it resolves to", async () => {
  const { host } = new URL(lab.origin);
  for (const path of ["/db/../api/sessions", "/db/%2e%2e/api/sessions", "/db\\..\\api\\sessions"]) {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[014] /);
  }
});

test("H4 headers that claim something are nothing, over HTTP and WebSocket", async () => {
  const forged = {
    "x-user": "ada",
    "x-forwarded-user": "ada",
    "cf-access-jwt-assertion": "x",
    "cf-access-authenticated-user-email": "ada@example.com",
    "wicket-connector": "demo",
    "wicket-ticket": "x",
    "wicket-identity": "ada",
    "x-forwarded-host": "evil.example.com",
  };
  const answer = await fetch(`${lab.origin}/api/whoami`, {
    headers: { authorization: `Bearer ${await lab.token("tina")}`, ...forged },
  });
  expect(await answer.json()).toMatchObject({ subject: "tina", admin: false });
  const dialled = new Promise<Dial>((resolve) => {
    connector.onDial = (dial) => resolve(dial);
  });
  const client = await DoorClient.open(lab, { person: "ana", headers: forged });
  const dial = await dialled;
  const { body } = await lab.call("ana", "GET", `/api/sessions/${dial.session}`);
  expect(body.subject).toBe("ana");
  client.socket.terminate();
});

describe("H8 bodies before it is known who sends them", () => {
  test("a huge enrolment is cut", async () => {
    const answer = await fetch(`${lab.origin}/connector/enroll`, {
      method: "POST",
      body: "x".repeat(100_000),
    });
    expect(answer.status).toBe(413);
  });

  test("a segment of an unknown connector is refused without being read", async () => {
    const answer = await raw(
      `PUT /connector/recordings/00000000000000000000000000/0 HTTP/1.1\r\nHost: x\r\n` +
        "Authorization: Bearer e30.e30.e30\r\nContent-Length: 1000000\r\n\r\nabc",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("a segment over the limit is refused", async () => {
    // The head alone: an answer that does not wait for the body may be lost to who is still sending it.
    const head = `PUT /connector/recordings/00000000000000000000000000/0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await connector.token()}\r\n`;
    expect(await raw(`${head}Content-Length: ${MAX_STORED + 1}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413/);
    const chunks = `${"8000\r\n"}${"y".repeat(32_768)}\r\n`.repeat(Math.ceil(MAX_STORED / 32_768) + 1);
    const unsaid = await raw(`${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
    expect(unsaid).toMatch(/^HTTP\/1\.1 413|^$/);
  });

  test("10,000 headers do not reach anything", async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `x-h${i}: 1\r\n`).join("");
    const answer = await raw(`GET /api/whoami HTTP/1.1\r\nHost: x\r\n${many}\r\n`);
    expect(answer).not.toMatch(/^HTTP\/1\.1 2/);
  });
});

test.each([
  "/metrics",
  "/debug",
  "/debug/pprof",
  "/worker.js",
  "/worker.js.map",
  "/index.js.map",
  "/policies.json",
  "/cdn-cgi/x",
  "/.env",
  "/summary",
  "/client",
  "/connector",
])("H10 there is nothing at %s", async (path) => {
  const { status } = await lab.call("ada", "GET", path);
  expect(status).toBe(404);
});

test("H9 answers are not stored, sniffed or framed", async () => {
  for (const path of ["/api/whoami", "/api/tasks", "/api/sessions", "/healthz", "/nope"]) {
    const { headers } = await lab.call("ana", "GET", path);
    expect(headers.get("cache-control")).toContain("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
  }
});

test("what people can do and who they are", async () => {
  const { body } = await lab.call("tina", "GET", "/api/tasks");
  const refund = body.tasks.find((task: { name: string }) => task.name === "refund-investigation");
  expect(refund).toMatchObject({
    may: true,
    why: null,
    needsApproval: true,
    params: { customer: "integer" },
  });
  const stock = body.tasks.find((task: { name: string }) => task.name === "warehouse-shipping");
  expect(stock).toMatchObject({ may: false, why: "NOT_A_MEMBER" });
  const connectors = await lab.call("tina", "GET", "/api/connectors");
  expect(connectors.body.connectors).toEqual([{ name: "demo", online: true, resources: ["orders-db"] }]);
  expect((await lab.call("stranger", "GET", "/api/connectors")).body.connectors).toEqual([]);
});

// --- recordings -----------------------------------------------------------------------------------------

/** A whole session with one refused statement; its recording as an honest connector has it. */
async function recorded(): Promise<{ sid: string; entries: RecordingEntry[]; segments: SealedSegment[] }> {
  const dialled = new Promise<Dial>((resolve) => {
    connector.onDial = (dial) => resolve(dial);
  });
  const client = await DoorClient.open(lab);
  const dial = await dialled;
  const socket = await connector.dialEdge(dial.url, { "wicket-ticket": dial.ticket });
  const entries: RecordingEntry[] = [];
  socket.on("message", (data: Buffer, binary: boolean) => {
    const frame = binary ? splitFrame(data)! : { records: recordLines(data) ?? [], data: null };
    for (const bytes of frame.records) entries.push({ kind: "event", at: Date.now(), bytes });
    if (frame.data) entries.push({ kind: "frontend", at: Date.now(), bytes: frame.data });
  });
  await opened(socket);
  socket.send(
    encodeControl({
      t: "opened",
      parameters: { server_version: "18.0", client_encoding: "UTF8", standard_conforming_strings: "on" },
      serverVersion: 180000,
      catalog: guessCatalog(lab.bundle.tasks["unlimited"]!) as never,
    }),
  );
  client.send(startupMessage({ user: "x", database: "d" }));
  await client.until(() => client.received > 100, "the greeting");
  client.send(queryMessage("select token from secrets"));
  await client.until(() => entries.length >= 2, "the statement");
  client.send(bareMessage(Frontend.Terminate));
  await client.until(() => client.closed !== null, "the end");
  const sid = dial.session;
  await new Promise((resolve) => (socket.readyState === 3 ? resolve(null) : socket.once("close", resolve)));
  return { sid, entries, segments: segmentsOf(sid, entries) };
}

async function put(
  sid: string,
  sequence: number,
  bytes: Uint8Array,
  options: { by?: TestConnector; digest?: string } = {},
): Promise<{ status: number; code: string }> {
  const digest = options.digest ?? createHash("sha256").update(bytes).digest("base64");
  const answer = await fetch(`${lab.origin}/connector/recordings/${sid}/${sequence}`, {
    method: "PUT",
    headers: {
      authorization: `Bearer ${await (options.by ?? connector).token()}`,
      "content-digest": `sha-256=:${digest}:`,
    },
    body: bytes as Uint8Array<ArrayBuffer>,
  });
  const body = (await answer.json()) as { code?: string };
  return { status: answer.status, code: body.code ?? "" };
}

/** The entries as segments of a few entries each. */
function many(sid: string, entries: readonly RecordingEntry[]): SealedSegment[] {
  const writer = new SegmentWriter(sid);
  const segments: SealedSegment[] = [];
  for (const entry of entries) {
    writer.add(entry);
    segments.push(writer.seal(entry.at));
  }
  segments.push(writer.seal(Date.now(), { reason: "CLIENT_TERMINATED" }));
  return segments;
}

describe("recordings", () => {
  test("are stored once, listed, read back and verified; their end agrees with the edge's roots", async () => {
    const { sid, segments } = await recorded();
    for (const { sequence, bytes } of segments) {
      expect(await put(sid, sequence, bytes)).toMatchObject({ status: 201 });
      expect(await put(sid, sequence, bytes)).toMatchObject({ status: 200 });
    }
    const list = await lab.call("ana", "GET", `/api/sessions/${sid}/recording`);
    expect(list.body).toMatchObject({
      final: "ENDED",
      segments: [{ sequence: 0, digest: segments[0]!.digest }],
    });
    const answer = await fetch(`${lab.origin}/api/sessions/${sid}/recording/0`, {
      headers: { authorization: `Bearer ${await lab.token("ana")}` },
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const verified = verifyChain(sid, [bytes]);
    expect(verified.ok).toBe(true);
    const { body } = await lab.call("ana", "GET", `/api/sessions/${sid}`);
    if (verified.ok) {
      expect(body.roots.frontend.root).toBe(verified.roots.frontend.root);
      expect(body.roots.backend.root).toBe(verified.roots.backend.root);
    }
  });

  test("R5 only the person who was recorded and administrators read them, and reading leaves a trace (R11)", async () => {
    const { sid, segments } = await recorded();
    await put(sid, 0, segments[0]!.bytes);
    for (const path of [`/api/sessions/${sid}/recording`, `/api/sessions/${sid}/recording/0`]) {
      expect((await lab.call("tina", "GET", path)).status).toBe(404);
      expect((await lab.call(null, "GET", path)).status).toBe(401);
      expect((await lab.call("ada", "GET", path)).status).toBe(200);
    }
    const { body } = await lab.call("ada", "GET", `/api/audit?session=${sid}&type=recording.read`);
    expect(body.events.length).toBe(2);
    expect(body.events[0].actor.subject).toBe("ada");
    const index = `/api/sessions/${sid}/recording/index`;
    expect((await lab.call("tina", "GET", index)).status).toBe(404);
    const answer = await lab.call("ana", "GET", index);
    expect(answer.body).toMatchObject({ next: null, segments: [{ sequence: 0, damaged: false }] });
    expect((await lab.call("ana", "GET", `${index}?after=0`)).body).toEqual({ next: null, segments: [] });
    expect((await lab.call("ana", "GET", `${index}?after=x`)).status).toBe(400);
  });

  test("R2 segments that are changed, reordered, spliced, or come from elsewhere are refused", async () => {
    const { sid, entries } = await recorded();
    const other = await recorded();
    const segments = many(sid, entries);
    const [first, second] = segments as [SealedSegment, SealedSegment];
    expect(await put(sid, 1, second.bytes)).toMatchObject({ status: 409, code: "SEQUENCE_GAP" });
    expect(await put(sid, 0, second.bytes)).toMatchObject({ status: 400, code: "SESSION_MISMATCH" });
    expect(await put(other.sid, 0, first.bytes)).toMatchObject({ status: 400, code: "SESSION_MISMATCH" });
    expect(await put(sid, 0, first.bytes, { digest: "AAAA" })).toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(await put(sid, 0, first.bytes.subarray(0, 20))).toMatchObject({ code: "SEGMENT_MALFORMED" });
    expect(await put(sid, 0, first.bytes)).toMatchObject({ status: 201 });
    // Another first segment, well formed: create-only.
    const rewritten = many(sid, [{ ...entries[0]!, bytes: new Uint8Array(3) }])[0]!;
    expect(await put(sid, 0, rewritten.bytes)).toMatchObject({ status: 409, code: "SEGMENT_EXISTS" });
    const spliced = many(sid, [{ ...entries[0]!, bytes: new Uint8Array(3) }, ...entries.slice(1)])[1]!;
    expect(await put(sid, 1, spliced.bytes)).toMatchObject({ status: 409, code: "PREV_MISMATCH" });
    for (const { sequence, bytes } of segments.slice(1)) {
      expect(await put(sid, sequence, bytes)).toMatchObject({ status: 201 });
    }
    const after = new SegmentWriter(sid).seal(0);
    expect(await put(sid, 0, after.bytes)).toMatchObject({ status: 409 });
  });

  test("R2 a recording whose end is not what crossed the edge raises an alarm", async () => {
    const { sid, entries } = await recorded();
    const forged = segmentsOf(sid, [
      ...entries.slice(0, -1),
      { ...entries.at(-1)!, bytes: new Uint8Array(5) },
    ]);
    expect(await put(sid, 0, forged[0]!.bytes)).toMatchObject({ status: 201 });
    const event = await lab.until(async () => {
      const { body } = await lab.call("ada", "GET", `/api/audit?session=${sid}&reason=RECORDING_MISMATCH`);
      return body.events[0];
    }, "the alarm");
    expect(event).toMatchObject({ type: "session.alarm", severity: "alarm" });
  });

  test("C2 another connector's key does not store segments here", async () => {
    const { sid, segments } = await recorded();
    const stranger = await TestConnector.create("demo", lab.origin);
    expect(await put(sid, 0, segments[0]!.bytes, { by: stranger })).toMatchObject({ status: 401 });
    const renamed = await TestConnector.create("other", lab.origin);
    expect(await put(sid, 0, segments[0]!.bytes, { by: renamed })).toMatchObject({ status: 401 });
  });
});
