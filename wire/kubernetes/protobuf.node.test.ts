import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readProtobufIdentity } from "./protobuf.ts";

const root = process.env["WICKET_FIXTURES"] ?? join(import.meta.dirname, "../../../shared/fixtures");
const folder = join(root, "kubernetes/k8s.io-api-testdata");
const present = existsSync(folder);
if (!present) console.log(`no ${folder}: the protobuf reader is not compared with the API's own test data`);

/** Kinds whose first field is not ObjectMeta; no client creates them. */
const others = ["Status", "WatchEvent", "DeleteOptions"];

test.runIf(present)("identity read from protobuf equals that of the same object in JSON", () => {
  let compared = 0;
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".pb"))) {
    if (others.some((kind) => file.endsWith(`.${kind}.pb`))) continue;
    const json = JSON.parse(readFileSync(join(folder, file.replace(/pb$/, "json")), "utf8"));
    const found = readProtobufIdentity(readFileSync(join(folder, file)));
    expect({ ...found, raw: 0 }, file).toMatchObject({
      apiVersion: json.apiVersion,
      kind: json.kind,
      name: json.metadata.name,
      namespace: json.metadata.namespace,
      labels: json.metadata.labels,
    });
    compared += 1;
  }
  expect(compared).toBeGreaterThan(20);
});
