import { expect, test } from "vitest";
import { bodyType, impersonationHeaders, narrowAccept, upstreamHeaders } from "./headers.ts";
import { readKubeRequest } from "./request.ts";

test("Accept is narrowed to JSON and keeps what it asks JSON to be", () => {
  expect(narrowAccept(null)).toBe("application/json");
  expect(narrowAccept("application/vnd.kubernetes.protobuf,application/json")).toBe("application/json");
  expect(
    narrowAccept(
      "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
    ),
  ).toBe(
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
  );
  expect(narrowAccept("*/*")).toBe("application/json");
  expect(narrowAccept("application/vnd.kubernetes.protobuf;stream=watch")).toBeNull();
  expect(narrowAccept("application/yaml, application/cbor")).toBeNull();
  expect(narrowAccept("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", true)).toBe(
    "application/json",
  );
});

test("K1 headers are built from an allow-list: nothing of the client's identity passes", () => {
  const read = readKubeRequest("GET", "/api/v1/pods", "");
  if (!read.ok) throw new Error("not read");
  const headers = new Headers({
    authorization: "Bearer x",
    "impersonate-user": "admin",
    "Impersonate-Uid": "1",
    "impersonate-extra-a": "b",
    connection: "Impersonate-User",
    "x-remote-user": "admin",
    "x-forwarded-for": "1.2.3.4",
    "x-http-method-override": "DELETE",
    "accept-encoding": "gzip",
    cookie: "a=b",
    "user-agent": "kubectl/v1.36.3",
  });
  const built = upstreamHeaders(read.request, headers, "none", false);
  expect(built).toEqual({
    ok: true,
    headers: [
      ["accept", "application/json"],
      ["user-agent", "kubectl/v1.36.3"],
    ],
  });
});

test("K1 impersonation refuses system names and line breaks", () => {
  const of = (user: string, groups: string[] = []) => impersonationHeaders({ user, groups, extra: {} });
  expect(of("wicket:tina", ["wicket:task:a"])).toEqual([
    ["impersonate-user", "wicket:tina"],
    ["impersonate-group", "wicket:task:a"],
  ]);
  expect(of("system:admin")).toBeNull();
  expect(of("a", ["system:masters"])).toBeNull();
  expect(of("a", ["SYSTEM:masters"])).toBeNull();
  expect(of("a\r\nImpersonate-Group: system:masters")).toBeNull();
});

test("body types that are not read are refused", () => {
  expect(bodyType("application/json; charset=utf-8", "POST")).toBe("json");
  expect(bodyType("application/yaml", "POST")).toBeNull();
  expect(bodyType("application/cbor", "POST")).toBeNull();
  expect(bodyType("application/apply-patch+yaml", "PATCH")).toBe("apply-patch");
  expect(bodyType("application/x-www-form-urlencoded", "POST")).toBeNull();
});
