import { describe, expect, test } from "vitest";
import { readKubeRequest } from "../../wire/kubernetes/request.ts";
import type { KubernetesRule } from "../task.ts";
import { AnswerFilter } from "./answer.ts";
import { scrubStatus } from "./answer-status.ts";
import { decideKube } from "./decide.ts";
import { LAST_APPLIED } from "./masks.ts";
import { MASKED_BASE64, MASKED_TEXT } from "./sentinel.ts";
import { kubeTask, rule } from "./task.fixture.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Runs an answer through the filter of a request, in chunks of `size` bytes. */
function show(rules: readonly KubernetesRule[], method: string, target: string, body: string, size = 7) {
  const [path, search = ""] = target.split("?") as [string, string?];
  const read = readKubeRequest(method, path, search);
  if (!read.ok) throw new Error(read.refusal.message);
  const decision = decideKube(kubeTask(rules), read.request);
  if (decision.effect === "deny") throw new Error(decision.message);
  const filter = new AnswerFilter(decision);
  const bytes = encoder.encode(body);
  let out = "";
  for (let i = 0; i < bytes.length; i += size) {
    const result = filter.push(bytes.subarray(i, i + size));
    if (!result.ok) return { fault: result.fault, out, stats: filter.stats };
    for (const part of result.bytes) out += decoder.decode(part);
  }
  const result = filter.end();
  if (!result.ok) return { fault: result.fault, out, stats: filter.stats };
  for (const part of result.bytes) out += decoder.decode(part);
  return { fault: null, out, stats: filter.stats };
}

const secret = (name = "web", namespace = "shop") => ({
  kind: "Secret",
  apiVersion: "v1",
  metadata: {
    name,
    namespace,
    annotations: {
      [LAST_APPLIED]: `${JSON.stringify({ kind: "Secret", stringData: { password: "hunter2" }, data: { a: "aHVudGVyMg==" } })}\n`,
      other: "kept",
    },
  },
  data: { password: "aHVudGVyMg==", empty: null },
  stringData: { x: "hunter2" },
  type: "Opaque",
});
const secrets = rule({
  resources: ["secrets"],
  verbs: ["get", "list", "watch", "patch", "create"],
  namespaces: ["shop"],
});
const base = "/api/v1/namespaces/shop/secrets";
const noSecret = /aHVudGVyMg|hunter2/;

describe("K3 Secrets are masked in every shape", () => {
  test("an object: values and the last-applied annotation, keys and all else kept", () => {
    const { out, stats } = show([secrets], "GET", `${base}/web`, JSON.stringify(secret()));
    expect(out).not.toMatch(noSecret);
    const shown = JSON.parse(out);
    expect(shown.data).toEqual({ password: MASKED_BASE64, empty: null });
    expect(shown.stringData).toEqual({ x: MASKED_TEXT });
    expect(shown.metadata.annotations.other).toBe("kept");
    expect(JSON.parse(shown.metadata.annotations[LAST_APPLIED]).stringData.password).toBe(MASKED_TEXT);
    expect(atob(MASKED_BASE64)).toBe(MASKED_TEXT);
    expect([...stats.masked]).toContain("data.password");
  });
  test("a list, however it is cut", () => {
    const body = JSON.stringify({
      kind: "SecretList",
      apiVersion: "v1",
      metadata: { resourceVersion: "9" },
      items: [secret("a"), secret("b")],
    });
    for (const size of [1, 2, 3, 64, 100_000]) {
      const { out } = show([secrets], "GET", base, body, size);
      expect(out).not.toMatch(noSecret);
      const list = JSON.parse(out);
      expect(list.items).toHaveLength(2);
      expect(list.metadata.resourceVersion).toBe("9");
    }
  });
  test("escaped keys are the same keys", () => {
    const body =
      '{"kind":"Secret","apiVersion":"v1","metadata":{"name":"web","namespace":"shop"},"d\\u0061ta":{"p":"hunter2"}}';
    expect(show([secrets], "GET", `${base}/web`, body).out).not.toMatch(noSecret);
  });
  test("a member given twice is masked twice; identity given twice is refused", () => {
    const twice =
      '{"kind":"Secret","metadata":{"name":"web","namespace":"shop"},"data":{"p":"x"},"data":{"p":"hunter2"}}';
    expect(show([secrets], "GET", `${base}/web`, twice).out).not.toMatch(noSecret);
    const odd =
      '{"kind":"Secret","metadata":{"name":"web","namespace":"shop"},"metadata":{"name":"x"},"data":{"p":"hunter2"}}';
    expect(show([secrets], "GET", `${base}/web`, odd)).toMatchObject({ fault: "ANSWER_MALFORMED", out: "" });
  });
  test("a key that is not valid JSON stops the answer", () => {
    const body = '{"kind":"Secret","metadata":{"name":"web","namespace":"shop"},"d\\x61ta":{"p":"hunter2"}}';
    expect(show([secrets], "GET", `${base}/web`, body)).toMatchObject({ fault: "ANSWER_MALFORMED", out: "" });
  });
  test("an annotation that is not JSON is masked whole", () => {
    const odd = secret();
    odd.metadata.annotations[LAST_APPLIED] = "hunter2";
    expect(show([secrets], "GET", `${base}/web`, JSON.stringify(odd)).out).not.toMatch(noSecret);
  });
  test("a Table, with the object in each row", () => {
    const body = JSON.stringify({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      metadata: {},
      columnDefinitions: [
        { name: "Name" },
        { name: "Type" },
        { name: "Data" },
        { name: "Age" },
        { name: "Custom" },
      ],
      rows: [{ cells: ["web", "Opaque", 2, "1d", "hunter2"], object: secret() }],
    });
    const { out } = show([secrets], "GET", base, body);
    expect(out).not.toMatch(noSecret);
    expect(JSON.parse(out).rows[0].cells).toEqual(["web", "Opaque", 2, "1d", MASKED_TEXT]);
  });
  test("watch events, bookmarks and errors", () => {
    const bookmark = {
      type: "BOOKMARK",
      object: {
        kind: "Secret",
        apiVersion: "v1",
        metadata: { resourceVersion: "12", annotations: { "k8s.io/initial-events-end": "true" } },
        data: { p: "hunter2" },
      },
    };
    const error = {
      type: "ERROR",
      object: {
        kind: "Status",
        apiVersion: "v1",
        status: "Failure",
        message: 'Invalid value: "hunter2"',
        reason: "Expired",
        code: 410,
      },
    };
    const body = [{ type: "ADDED", object: secret() }, bookmark, error]
      .map((event) => `${JSON.stringify(event)}\n`)
      .join("");
    const { out, fault } = show([secrets], "GET", `${base}?watch=true`, body);
    expect(fault).toBeNull();
    expect(out).not.toMatch(noSecret);
    const events = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK", "ERROR"]);
    expect(events[1].object.metadata).toEqual({
      resourceVersion: "12",
      annotations: { "k8s.io/initial-events-end": "true" },
    });
  });
  test("types that a rule shows are shown, and only those", () => {
    const helm = { ...secrets, secrets: ["helm.sh/*"] };
    const release = { ...secret(), type: "helm.sh/release.v1" };
    expect(show([helm], "GET", `${base}/web`, JSON.stringify(release)).out).toBe(
      `${JSON.stringify(release)}\n`,
    );
    expect(show([helm], "GET", `${base}/web`, JSON.stringify(secret())).out).not.toMatch(noSecret);
  });
  test("the echo of a write is masked, and is metadata only without `get`", () => {
    expect(show([secrets], "PATCH", `${base}/web`, JSON.stringify(secret())).out).not.toMatch(noSecret);
    const blind = rule({ resources: ["secrets"], verbs: ["patch"], namespaces: ["shop"], secrets: ["*"] });
    const { out } = show([blind], "PATCH", `${base}/web`, JSON.stringify(secret()));
    expect(JSON.parse(out)).toEqual({
      kind: "Secret",
      apiVersion: "v1",
      metadata: { name: "web", namespace: "shop" },
    });
  });
  test("error bodies about masked kinds say the reason, not the value", () => {
    const status = JSON.stringify({
      kind: "Status",
      status: "Failure",
      reason: "Invalid",
      message: 'Secret "web" is invalid: data: Invalid value: "hunter2"',
      details: {
        name: "web",
        kind: "Secret",
        causes: [{ reason: "FieldValueInvalid", message: "hunter2", field: "data" }],
      },
      code: 422,
    });
    const out = decoder.decode(scrubStatus(encoder.encode(status), true));
    expect(out).not.toMatch(noSecret);
    expect(JSON.parse(out)).toMatchObject({ reason: "Invalid", code: 422, details: { name: "web" } });
    expect(decoder.decode(scrubStatus(encoder.encode("<html>hunter2"), false))).not.toMatch(noSecret);
  });
});

describe("K3 objects outside the grant are dropped", () => {
  const pod = (name: string, namespace: string, labels = {}) => ({
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, namespace, labels, generation: 1 },
    spec: { containers: [{ name: "c", env: [{ name: "PASSWORD", value: "hunter2" }] }] },
  });
  const list = (items: unknown[]) =>
    JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items });
  const reads = (given: Partial<KubernetesRule>) =>
    rule({ resources: ["pods"], verbs: ["get", "list", "watch"], namespaces: ["shop"], ...given });
  const names = (out: string) =>
    JSON.parse(out).items.map((item: { metadata: { name: string } }) => item.metadata.name);

  test("by namespace, name and labels", () => {
    const body = list([
      pod("a", "shop", { app: "web" }),
      pod("b", "other", { app: "web" }),
      pod("c", "shop"),
    ]);
    expect(names(show([reads({})], "GET", "/api/v1/pods", body).out)).toEqual(["a", "c"]);
    expect(names(show([reads({ names: ["c"] })], "GET", "/api/v1/pods", body).out)).toEqual(["c"]);
    expect(names(show([reads({ labels: { app: "web" } })], "GET", "/api/v1/pods", body).out)).toEqual(["a"]);
  });
  test("an object that turns out to be outside is not shown at all", () => {
    const labelled = reads({ labels: { app: "web" } });
    const answer = show(
      [labelled],
      "GET",
      "/api/v1/namespaces/shop/pods/c",
      JSON.stringify(pod("c", "shop")),
    );
    expect(answer).toMatchObject({ fault: "OBJECT_NOT_GRANTED", out: "" });
  });
  test("rows without their object are dropped", () => {
    const body = JSON.stringify({
      kind: "Table",
      apiVersion: "meta.k8s.io/v1",
      columnDefinitions: [],
      rows: [{ cells: ["a"] }],
    });
    expect(JSON.parse(show([reads({})], "GET", "/api/v1/namespaces/shop/pods", body).out).rows).toEqual([]);
  });
  test("each object is masked by the first rule that covers it", () => {
    const masked = reads({
      names: ["a"],
      mask: { "spec.containers[*].env[*].value": { kind: "null" } },
      at: "t:1",
    });
    const plain = reads({ at: "t:2" });
    const { out } = show(
      [masked, plain],
      "GET",
      "/api/v1/namespaces/shop/pods",
      list([pod("a", "shop"), pod("b", "shop")]),
    );
    const [a, b] = JSON.parse(out).items;
    expect(a.spec.containers[0].env[0]).toEqual({ name: "PASSWORD", value: null });
    expect(b.spec.containers[0].env[0].value).toBe("hunter2");
  });
  test("large numbers and spellings stay as the server wrote them", () => {
    const body =
      '{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"a","namespace":"shop"},"x":12345678901234567890,"y":1.0,"z":"\\u00e9"}]}';
    expect(show([reads({})], "GET", "/api/v1/namespaces/shop/pods", body).out).toContain(
      '"x":12345678901234567890,"y":1.0,"z":"\\u00e9"',
    );
  });
  test("members that no list has are left out; broken JSON stops the answer", () => {
    expect(
      show(
        [reads({})],
        "GET",
        "/api/v1/namespaces/shop/pods",
        '{"kind":"PodList","extra":"hunter2","items":[]}',
      ).out,
    ).not.toMatch(noSecret);
    for (const body of ['{"items":[{]}', '{"items":[', "[1]", '{"items":{}', "", '{"items":[]} x']) {
      expect(show([reads({})], "GET", "/api/v1/namespaces/shop/pods", body).fault).toBe("ANSWER_MALFORMED");
    }
  });
  test("an object that is too large stops the answer, in one chunk too", () => {
    const body = list([{ ...pod("a", "shop"), filler: "x".repeat(5 * 1024 * 1024) }]);
    for (const size of [64 * 1024, body.length]) {
      const { fault } = show([reads({})], "GET", "/api/v1/namespaces/shop/pods", body, size);
      expect(fault).toBe("OBJECT_TOO_LARGE");
    }
  });
  test("a list of 5,000 pods is never held whole", () => {
    const filter = new AnswerFilter(
      (() => {
        const read = readKubeRequest("GET", "/api/v1/namespaces/shop/pods", "");
        if (!read.ok) throw new Error("not read");
        const decision = decideKube(
          kubeTask([reads({ mask: { "spec.nodeName": { kind: "null" } } })]),
          read.request,
        );
        if (decision.effect === "deny") throw new Error("denied");
        return decision;
      })(),
    );
    const item = encoder.encode(`${JSON.stringify({ ...pod("a", "shop"), filler: "x".repeat(4000) })},`);
    filter.push(encoder.encode('{"kind":"PodList","items":['));
    let most = 0;
    for (let i = 0; i < 5000; i++) {
      for (let at = 0; at < item.length; at += 1500) filter.push(item.subarray(at, at + 1500));
      most = Math.max(most, filter.held);
    }
    expect(filter.stats.objects).toBe(5000);
    expect(most).toBeLessThan(item.length);
  });
});
