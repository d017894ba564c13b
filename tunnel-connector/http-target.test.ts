import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openHttpTarget } from "./http-target.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-target-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string, mode = 0o600) => {
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};

test("a service account's token is read anew for each request", () => {
  write("token", "first\n");
  write("ca.crt", "PEM");
  const opened = openHttpTarget({ kind: "service-account", folder });
  if (!opened.ok) throw new Error(opened.message);
  expect(opened.target.credential()).toEqual([["authorization", "Bearer first"]]);
  write("token", "second\n");
  expect(opened.target.credential()).toEqual([["authorization", "Bearer second"]]);
  expect(opened.target).toMatchObject({
    url: "https://kubernetes.default.svc",
    ca: "PEM",
    impersonate: true,
  });
});

test("a kubeconfig with TLS verification, and only with it", () => {
  const config = (cluster: string, user: string) =>
    write(
      "config",
      `current-context: x\ncontexts: [{ name: x, context: { cluster: c, user: u } }]\nclusters: [{ name: c, cluster: { ${cluster} } }]\nusers: [{ name: u, user: { ${user} } }]\n`,
    );
  const open = (cluster: string, user: string) =>
    openHttpTarget({ kind: "kubeconfig", file: config(cluster, user) });
  expect(open('server: "https://c:6443/"', "token: t")).toMatchObject({
    ok: true,
    target: { url: "https://c:6443", ca: null },
  });
  expect(open('server: "https://c", insecure-skip-tls-verify: true', "token: t").ok).toBe(false);
  expect(open('server: "http://c"', "token: t").ok).toBe(false);
  expect(open('server: "https://c"', "exec: { command: x }").ok).toBe(false);
});

test("C9 H7 an HTTP target's credential comes from a private file and its URL is plain", () => {
  const file = write("key", "Bearer abc\n");
  const opened = openHttpTarget({
    kind: "http",
    url: "https://api.internal/v2/",
    header: { name: "Authorization", file },
  });
  if (!opened.ok) throw new Error(opened.message);
  expect(opened.target.url).toBe("https://api.internal/v2");
  expect(opened.target.credential()).toEqual([["authorization", "Bearer abc"]]);
  expect(openHttpTarget({ kind: "http", url: "https://u:p@api" }).ok).toBe(false);
  expect(openHttpTarget({ kind: "http", url: "file:///etc" }).ok).toBe(false);
  expect(openHttpTarget({ kind: "http", url: "https://a", header: { name: "Host", file } }).ok).toBe(false);
  const open = write("open", "abc", 0o644);
  expect(
    openHttpTarget({ kind: "http", url: "https://a", header: { name: "x-key", file: open } }),
  ).toMatchObject({ ok: false });
  const lines = write("lines", "a\r\nb: c");
  expect(openHttpTarget({ kind: "http", url: "https://a", header: { name: "x-key", file: lines } }).ok).toBe(
    false,
  );
});
