/** The connector's own way to a real PostgreSQL: encryption that is asked for is had, and what the server says of a role holds. */
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPostgres, type TestPostgres } from "../test/support/postgres.ts";
import { makeCertificates } from "../wire/certificate.ts";
import type { PostgresResource } from "./config.ts";
import { openPostgres } from "./postgres-target.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-target-"));
let secure: TestPostgres;
let plain: TestPostgres;
let authority = "";
let stranger = "";

beforeAll(async () => {
  const [made, other] = await Promise.all([
    makeCertificates(["localhost", "127.0.0.1"], Date.now()),
    makeCertificates(["localhost", "127.0.0.1"], Date.now()),
  ]);
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  authority = write("ca.pem", made.authority);
  stranger = write("stranger.pem", other.authority);
  const [certificate, key] = [write("server.pem", made.certificate), write("server.key", made.key)];
  // PostgreSQL runs as another user when this is root, and wants its key to be its own.
  if (process.getuid?.() === 0) {
    chmodSync(folder, 0o711);
    for (const path of [certificate, key]) chownSync(path, 65534, 65534);
  }
  [secure, plain] = await Promise.all([
    startPostgres({ ssl: "on", ssl_cert_file: certificate, ssl_key_file: key }),
    startPostgres(),
  ]);
  const admin = new pg.Client(plain.url);
  await admin.connect();
  await admin.query("CREATE ROLE disabled NOLOGIN");
  await admin.end();
});

afterAll(async () => {
  await Promise.all([secure?.stop(), plain?.stop()]);
  rmSync(folder, { recursive: true, force: true });
});

function resource(server: TestPostgres, given: Partial<PostgresResource> = {}): PostgresResource {
  return {
    ...{ type: "postgres", name: "db", host: "127.0.0.1", port: server.port, database: "postgres" },
    ...{ user: "postgres", password: null, tokenKey: null },
    tls: { mode: "verify-full", ca: authority, name: null, cert: null, key: null },
    ...given,
  };
}

const tls = (given: Partial<PostgresResource["tls"]>): PostgresResource["tls"] => ({
  ...{ mode: "verify-full", ca: authority, name: null, cert: null, key: null },
  ...given,
});

describe("P2 encryption that is asked for", () => {
  test("is had with the right authority", async () => {
    const open = await openPostgres(resource(secure), "", "test");
    const { rows } = await open.client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    expect(rows).toEqual([{ ssl: true }]);
    open.close();
  });
  test.each([
    ["a certificate of another authority", { ca: "stranger" }],
    ["a certificate for another name", { name: "db.internal" }],
  ])("is refused with %s", async (_, given) => {
    const own = "ca" in given ? tls({ ca: stranger }) : tls(given);
    await expect(openPostgres(resource(secure, { tls: own }), "", "test")).rejects.toMatchObject({
      code: "TARGET_TLS",
    });
  });
  test("is not given up when the server says no", async () => {
    await expect(openPostgres(resource(plain), "", "test")).rejects.toMatchObject({ code: "TARGET_TLS" });
  });
});

test("C7 a server that speaks only an older TLS gets nothing, not even the login", async () => {
  const seen: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write("S");
      socket.on("data", (chunk) => {
        seen.push(chunk);
        // A ServerHello that chooses TLS 1.0, as somebody in the middle would answer (RFC 5246, section 7.4.1.3).
        const hello = [0x03, 0x01, ...new Array<number>(32).fill(7), 0x00, 0x00, 0x2f, 0x00];
        const body = [0x02, 0x00, 0x00, hello.length, ...hello];
        socket.write(Uint8Array.from([0x16, 0x03, 0x01, 0x00, body.length, ...body]));
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as AddressInfo).port;
  const password = { read: () => "the password" };
  const older = resource(secure, { port, password });
  await expect(openPostgres(older, "", "test")).rejects.toMatchObject({ code: "TARGET_TLS" });
  server.close();
  expect(seen.length).toBeGreaterThan(0);
  expect(Buffer.concat(seen).toString("latin1")).not.toMatch(/postgres\0|the password/);
});

test("C11 what one target showed is trusted for no other: each has its own authority and name", async () => {
  const open = async (given: Partial<PostgresResource["tls"]>): Promise<string> => {
    try {
      (await openPostgres(resource(secure, { tls: tls(given) }), "", "test")).close();
      return "opened";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(await open({})).toBe("opened");
  // The same address and certificate as just now, for a resource that trusts another authority or another name.
  expect(await open({ ca: stranger })).toBe("TARGET_TLS");
  expect(await open({ name: "db.internal" })).toBe("TARGET_TLS");
  expect(await open({ ca: null })).toBe("TARGET_TLS");
  expect(await open({})).toBe("opened");
});

test("C12 a target that asks for everything learns its own login, and nothing of another target", async () => {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      heard.push(chunk);
      // AuthenticationCleartextPassword, again and again.
      socket.write(Uint8Array.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
      if (heard.length > 2) socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const broken = resource(plain, {
    ...{ name: "broken", user: "own-login", port: (server.address() as AddressInfo).port },
    ...{ password: { read: () => "own-password" }, tls: tls({ mode: "off", ca: null }) },
  });
  const asked: string[] = [];
  const password = {
    read: () => {
      asked.push("read");
      return "other-password";
    },
  };
  const other = resource(plain, { name: "other", user: "other-login", password });
  await expect(openPostgres(broken, "", "test")).rejects.toMatchObject({ name: "TargetError" });
  server.close();
  const text = Buffer.concat(heard).toString("latin1");
  expect(text).toContain("own-login");
  expect([text.includes(other.user), text.includes("other-password"), asked]).toEqual([false, false, []]);
});

test.each(["disabled", "absent"])("P21 a login that the server does not let in: %s", async (user) => {
  const off = tls({ mode: "off", ca: null });
  await expect(openPostgres(resource(plain, { user, tls: off }), "", "test")).rejects.toMatchObject({
    code: "TARGET_REFUSED_LOGIN",
  });
});

test("P19 two sessions share nothing: each has a connection of its own", async () => {
  const off = tls({ mode: "off", ca: null });
  const first = await openPostgres(resource(plain, { tls: off }), "", "test");
  await first.client.query(
    "SET application_name = 'left over'; CREATE TEMP TABLE left_over (id int); PREPARE left_over AS SELECT 1",
  );
  const pid = async (open: typeof first) =>
    (await open.client.query("SELECT pg_backend_pid() AS pid")).rows[0].pid as number;
  const before = await pid(first);
  first.close();
  const second = await openPostgres(resource(plain, { tls: off }), "", "test");
  expect(await pid(second)).not.toBe(before);
  const { rows } = await second.client.query(
    "SELECT current_setting('application_name') AS name, to_regclass('left_over') AS found",
  );
  expect(rows).toEqual([{ name: "test", found: null }]);
  await expect(second.client.query("EXECUTE left_over")).rejects.toMatchObject({ code: "26000" });
  second.close();
});
