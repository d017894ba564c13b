/** The filter of answers against what the same masks do on parsed documents, however the bytes are cut and spelt. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readKubeRequest } from "../../wire/kubernetes/request.ts";
import type { KubernetesRule } from "../task.ts";
import { AnswerFilter } from "./answer.ts";
import { decideKube } from "./decide.ts";
import { MASKED_TEXT } from "./sentinel.ts";
import { kubeTask, rule } from "./task.fixture.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const path = "/api/v1/namespaces/shop/pods";
/** Longer than most values, and shorter than some. */
const HIDDEN = "hidden value";

function filterOf(rules: readonly KubernetesRule[]): AnswerFilter {
  const read = readKubeRequest("GET", path, "");
  if (!read.ok) throw new Error(read.refusal.message);
  const decision = decideKube(kubeTask(rules), read.request);
  if (decision.effect === "deny") throw new Error(decision.message);
  return new AnswerFilter(decision);
}

/** What is shown of the bytes, cut at these sizes in turn. */
function shown(filter: AnswerFilter, text: string, sizes: readonly number[]): string | null {
  const bytes = encoder.encode(text);
  const out: Uint8Array[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + sizes[i % sizes.length]!;
    const result = filter.push(bytes.slice(at, end));
    if (!result.ok) return null;
    // What was given out is not written to afterwards.
    for (const part of result.bytes) out.push(part);
    at = end;
  }
  const result = filter.end();
  if (!result.ok) return null;
  return decoder.decode(new Uint8Array([...out, ...result.bytes].flatMap((part) => [...part])));
}

const word = fc.oneof(
  fc.constantFrom("", "a", "web", 'quo"te', "back\\slash", "{[", "]}", ",", "é€😀", "line\nbreak"),
  fc.string({ maxLength: 40 }),
);
const extra = fc.jsonValue({ maxDepth: 3 });
const container = fc.record(
  {
    name: word,
    image: word,
    env: fc.array(fc.record({ name: word, value: word, more: extra })),
    ports: extra,
  },
  { requiredKeys: ["name"] },
);
const pod = fc.record(
  {
    metadata: fc.record({
      name: fc.constantFrom("a", "b"),
      namespace: fc.constantFrom("shop", "other"),
      labels: fc.record({ app: fc.constantFrom("web", "db") }, { requiredKeys: [] }),
      managedFields: extra,
    }),
    spec: fc.record({ containers: fc.array(container, { maxLength: 3 }), secret: word, value: extra }),
    value: extra,
    status: extra,
  },
  { requiredKeys: ["metadata", "spec"] },
);
type Pod = typeof pod extends fc.Arbitrary<infer T> ? T : never;

/** A document spelt in another way: with white space, or with the letter "m" of keys and values escaped. */
const spelling = fc.constantFrom<(value: unknown) => string>(
  (value) => JSON.stringify(value),
  (value) => JSON.stringify(value, null, 2),
  (value) => JSON.stringify(value).replaceAll("m", "\\u006d"),
);
const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 });

const mask = { "spec.containers[*].env[*].value": { kind: "constant", value: HIDDEN } } as const;
const reads = (given: Partial<KubernetesRule>) =>
  rule({ resources: ["pods"], verbs: ["list"], namespaces: ["shop"], ...given });
const rules = fc.constantFrom(
  { rule: reads({}), labels: {}, masked: false },
  { rule: reads({ mask }), labels: {}, masked: true },
  { rule: reads({ mask, labels: { app: "web" } }), labels: { app: "web" }, masked: true },
  { rule: reads({ labels: { app: "web" } }), labels: { app: "web" }, masked: false },
);

function expected(pods: readonly Pod[], labels: { app?: string }, masked: boolean): unknown[] {
  return pods
    .filter(({ metadata }) => labels.app === undefined || metadata.labels.app === labels.app)
    .filter(({ metadata }) => labels.app === undefined || metadata.namespace === "shop")
    .map((one) => {
      const copy = JSON.parse(JSON.stringify(one));
      if (masked) {
        for (const { env } of copy.spec.containers) {
          // What has no value has none to hide.
          for (const one of env ?? []) if (one.value !== undefined && one.value !== null) one.value = HIDDEN;
        }
      }
      return copy;
    });
}

test("K3 a list is shown as the same list of masked objects", () => {
  fc.assert(
    fc.property(fc.array(pod, { maxLength: 6 }), rules, spelling, sizes, (pods, given, spelt, cuts) => {
      const body = spelt({
        kind: "PodList",
        apiVersion: "v1",
        metadata: { resourceVersion: "1" },
        items: pods,
      });
      const filter = filterOf([given.rule]);
      const out = shown(filter, body, cuts);
      const items = expected(pods, given.labels, given.masked);
      expect(JSON.parse(out!)).toEqual({
        ...{ kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "1" } },
        items,
      });
      expect(filter.stats.objects).toBe(items.length);
      expect(filter.stats.dropped).toBe(pods.length - items.length);
    }),
    { numRuns: 400 },
  );
});

const row = fc.record(
  { conditions: extra, cells: fc.tuple(word, word, word), object: pod, later: extra },
  { requiredKeys: ["cells", "object"] },
);

test("K3 a Table is shown as the same rows, without cells that tell and members that no row has", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(row, fc.boolean()), { maxLength: 6 }),
      rules,
      spelling,
      sizes,
      (given, { rule, labels, masked }, spelt, cuts) => {
        // Members come in any order.
        const rows = given.map(([one, turned]) =>
          turned ? (Object.fromEntries(Object.entries(one).reverse()) as typeof one) : one,
        );
        const columnDefinitions = [{ name: "Name" }, { name: "Status" }, { name: "Secret" }];
        const head = { kind: "Table", apiVersion: "meta.k8s.io/v1", columnDefinitions };
        const out = shown(filterOf([rule]), spelt({ ...head, rows }), cuts);
        const want = rows.flatMap(({ cells, object }) => {
          const [item] = expected([object], labels, masked);
          const told = masked ? [cells[0], cells[1], MASKED_TEXT] : cells;
          return item === undefined ? [] : [{ cells: told, object: item }];
        });
        expect(JSON.parse(out!)).toEqual({ ...head, rows: want });
      },
    ),
    { numRuns: 400 },
  );
});

test("K3 a list that is broken anywhere says nothing of the object it is broken in", () => {
  fc.assert(
    fc.property(fc.array(pod, { minLength: 1, maxLength: 3 }), fc.nat(), sizes, (pods, at, cuts) => {
      const body = JSON.stringify({ kind: "PodList", apiVersion: "v1", metadata: {}, items: pods });
      const cut = body.slice(0, at % body.length);
      const filter = filterOf([reads({ mask })]);
      expect(shown(filter, cut, cuts)).toBeNull();
    }),
    { numRuns: 200 },
  );
});
