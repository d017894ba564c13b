import { describe, expect, test } from "vitest";
import { readPath } from "../http/path.ts";
import { readQuery } from "../http/query.ts";
import { nameOfSelector, requestInfo } from "./attributes.ts";
import { readKubeRequest, upstreamTarget } from "./request.ts";

function info(method: string, target: string) {
  const [pathname, search = ""] = target.split("?") as [string, string?];
  const query = readQuery(search);
  const trimmed = pathname.replace(/^\/+|\/+$/g, "");
  const found = requestInfo(method, trimmed === "" ? [] : trimmed.split("/"), query.ok ? query.pairs : []);
  if ("error" in found) return found.error;
  if (!found.isResource) return `nonresource ${found.verb}`;
  const { verb, group, namespace, resource, subresource, name } = found;
  return [
    verb,
    group || "-",
    namespace || "-",
    resource + (subresource && `/${subresource}`),
    name || "-",
  ].join(" ");
}

describe("RequestInfo rules", () => {
  const vectors: [string, string, string][] = [
    ["GET", "/api/v1/namespaces", "list - - namespaces -"],
    ["GET", "/api/v1/namespaces/o", "get - o namespaces o"],
    ["PUT", "/api/v1/namespaces/o/finalize", "update - o namespaces/finalize o"],
    ["PUT", "/api/v1/namespaces/o/status", "update - o namespaces/status o"],
    ["HEAD", "/api/v1/pods", "list - - pods -"],
    ["GET", "/api/v1/namespaces/o/pods", "list - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods/f", "get - o pods f"],
    ["HEAD", "/api/v1/namespaces/o/pods/f", "get - o pods f"],
    ["GET", "/api/v1/namespaces/o/pods/f/log", "get - o pods/log f"],
    ["POST", "/api/v1/namespaces/o/pods", "create - o pods -"],
    ["PUT", "/api/v1/namespaces/o/pods/f", "update - o pods f"],
    ["PATCH", "/api/v1/namespaces/o/pods/f", "patch - o pods f"],
    ["DELETE", "/api/v1/namespaces/o/pods/f", "delete - o pods f"],
    ["DELETE", "/api/v1/namespaces/o/pods", "deletecollection - o pods -"],
    ["GET", "/api/v1/watch/pods", "watch - - pods -"],
    ["GET", "/api/v1/watch/namespaces/o/pods/p", "watch - o pods p"],
    ["GET", "/api/v1/namespaces/o/pods?watch=1", "watch - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods?watch=0", "list - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods?watch", "watch - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods?watch=false&watch=true", "list - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods?watch=no", "watch - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods?watch=FALSE", "list - o pods -"],
    ["GET", "/api/v1/namespaces/o/pods/foo?watch=true", "get - o pods foo"],
    ["GET", "/api/v1/namespaces/o/pods/f/proxy/sub/x", "get - o pods/proxy f"],
    ["GET", "/api/v1/nodes?fieldSelector=metadata.name=n1", "list - - nodes n1"],
    ["GET", "/api/v1/nodes?fieldSelector=metadata.name=n1,foo", "list - - nodes -"],
    ["GET", "/api/v1/nodes?fieldSelector=metadata.name!%3Dn1", "list - - nodes -"],
    ["GET", "/api/v1/nodes?fieldSelector=metadata.name=a&fieldSelector=metadata.name=b", "list - - nodes a"],
    ["GET", "/api/v1/nodes?fieldSelector=metadata.name=..", "list - - nodes -"],
    ["GET", "/apis/g/v/watch/r/name?fieldSelector=metadata.name=x", "watch g - r name"],
    ["GET", "/apis/version/resource", "nonresource get"],
    ["GET", "/apis/g/v/", "nonresource get"],
    ["GET", "/api/v1/proxy/namespaces/o/pods/f/x", "proxy - o pods f"],
    ["GET", "/apis/apps/v1/namespaces/o/deployments", "list apps o deployments -"],
    ["PATCH", "/apis/apps/v1/namespaces/o/deployments/d/scale", "patch apps o deployments/scale d"],
    ["GET", "/", "nonresource get"],
    ["GET", "/api", "nonresource get"],
    ["GET", "/api/v1", "nonresource get"],
    ["GET", "/version", "nonresource get"],
    ["OPTIONS", "/api/v1/pods", " - - pods -"],
    ["GET", "/API/v1/pods", "nonresource get"],
    ["GET", "/api/v1/watch", "unable to determine kind and namespace from url"],
  ];
  test.each(vectors)("%s %s", (method, target, wanted) => {
    expect(info(method, target)).toBe(wanted);
  });

  test("a field selector names an object only by an exact term", () => {
    expect(nameOfSelector("metadata.namespace=b,metadata.name=a")).toBe("a");
    expect(nameOfSelector("metadata.name==a")).toBe("a");
    expect(nameOfSelector("spec.x=metadata.name\\=a")).toBeNull();
  });
});

describe("K2/H3 odd paths are refused, and what goes upstream is built from what was read", () => {
  const url = (raw: string) => new URL(`https://edge${raw}`);
  const odd = [
    "/api/v1/namespaces/a%2F..%2Fb/secrets",
    "/api/v1/namespaces/a/pods%2Fweb",
    "/api/v1//namespaces/a/pods",
    "/api/v1/namespaces/a/pods/",
    "/api/v1/namespaces/a/pods/x;y=1",
    "/api/v1/namespaces/a/pods/x%3By",
    "/api/v1/namespaces/a/pods/%00",
    "/api/v1/namespaces/a/pods/%ff",
    "/api/v1/namespaces/a/pods/%252e%252e",
    "/api/v1/namespaces/a/pods/a%5Cb",
    "/api/v1/namespaces/a/pods/%c0%ae%c0%ae",
    "/api/v1/namespaces/a/pods/a%0Ab",
  ];
  test.each(odd)("%s", (raw) => {
    const read = readKubeRequest("GET", url(raw).pathname, "");
    expect(read.ok).toBe(false);
  });

  test("dot segments are gone before the decision, and the decision is on what is sent", () => {
    const { pathname } = url("/api/v1/namespaces/a/%2e%2e/b/secrets");
    const read = readKubeRequest("GET", pathname, "");
    if (!read.ok) throw new Error(read.refusal.message);
    expect(read.request.namespace).toBe("b");
    expect(upstreamTarget(read.request)).toBe("/api/v1/namespaces/b/secrets");
  });

  test("raw dot segments that a URL parser did not see are refused", () => {
    expect(readPath("/a/../b").ok).toBe(false);
    expect(readPath("/a/./b").ok).toBe(false);
    expect(readPath("/a/%2e%2e/b").ok).toBe(false);
  });

  test.each([
    ["/api/v1/watch/pods", "LEGACY_PATH"],
    ["/api/v1/proxy/namespaces/o/pods/f", "LEGACY_PATH"],
    ["/metrics", "PATH_NOT_ALLOWED"],
    ["/logs/kube-apiserver.log", "ODD_PATH"],
    ["/debug/pprof", "PATH_NOT_ALLOWED"],
    ["/API/v1/pods", "PATH_NOT_ALLOWED"],
    ["/api/v1/namespaces/o/pods/f/status/more", "PATH_NOT_ALLOWED"],
  ])("%s", (path, code) => {
    const read = readKubeRequest("GET", path, "");
    if (read.ok) throw new Error("was read");
    if (code !== "ODD_PATH") expect(read.refusal.code).toBe(code);
  });

  test.each(["OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"])("method %s", (method) => {
    const read = readKubeRequest(method, "/api/v1/pods", "");
    expect(read.ok ? "" : read.refusal.code).toBe("METHOD_NOT_ALLOWED");
  });
});

describe("K4 subresources and connects are verbs of their own", () => {
  test.each([
    ["GET", "/api/v1/namespaces/a/pods/p/exec?command=ls", "exec"],
    ["POST", "/api/v1/namespaces/a/pods/p/exec?command=ls", "exec"],
    ["GET", "/api/v1/namespaces/a/pods/p/attach", "attach"],
    ["GET", "/api/v1/namespaces/a/pods/p/portforward", "portforward"],
    ["GET", "/api/v1/namespaces/a/pods/p/log?follow=true", "logs"],
    ["GET", "/api/v1/nodes/n/proxy/exec/ns/p/c", "proxy"],
    ["GET", "/api/v1/namespaces/a/services/s/proxy/x", "proxy"],
    ["POST", "/api/v1/namespaces/a/pods/p/eviction", "create"],
  ])("%s %s", (method, target, verb) => {
    const [path, search = ""] = target.split("?") as [string, string?];
    const read = readKubeRequest(method, path, search);
    if (!read.ok) throw new Error(read.refusal.message);
    expect(read.request.verb).toBe(verb);
  });
});

describe("the query is rebuilt from an allow-list", () => {
  const target = (search: string, path = "/api/v1/namespaces/a/pods") => {
    const read = readKubeRequest("GET", path, search);
    return read.ok ? (upstreamTarget(read.request).split("?")[1] ?? "") : read.refusal.code;
  };
  test("booleans are said in one spelling", () => {
    expect(target("?watch=no")).toBe("watch=true");
    expect(target("?watch")).toBe("watch=true");
    expect(target("?limit=500&pretty=true")).toBe("limit=500");
  });
  test.each([
    ["?watch=0&watch=1", "ODD_QUERY"],
    ["?fieldSelector=a%3Db&fieldSelector=c%3Dd", "ODD_QUERY"],
    ["?access_token=x", "QUERY_NOT_ALLOWED"],
    ["?__proto__=x", "QUERY_NOT_ALLOWED"],
    ["?a;b", "ODD_QUERY"],
    ["?limit=%zz", "ODD_QUERY"],
    ["?limit=1e3", "ODD_QUERY"],
    ["?fieldSelector=foo", "ODD_QUERY"],
  ])("%s", (search, code) => {
    expect(target(search)).toBe(code);
  });
  test("exec commands keep their order and bytes", () => {
    const path = "/api/v1/namespaces/a/pods/p/exec";
    expect(target("?command=sh&command=-c&command=echo%20%26%2B%0A1&stdout=1", path)).toBe(
      "command=sh&command=-c&command=echo%20%26%2B%0A1&stdout=true",
    );
  });
});
