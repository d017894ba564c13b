/** The log as it grows: numbering and publishing entries, proving them, and starting again over what is there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { exportJWK, generateKeyPair } from "jose";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import type { Lab } from "./lab.ts";
import { figure, type Report } from "./report.ts";
import { spread } from "./statistics.ts";

const SIZES = [1_000, 65_536, 131_072] as const;
const CHUNK = 4_096;
const ROUNDS = 9;
const PROOFS = 20;

interface Log {
  fill(from: number, count: number): Promise<void>;
  prove(indexes: readonly number[]): Promise<number>;
  putAway(): Promise<void>;
  checkpoint(): Promise<string | null>;
}

export async function log(lab: Lab): Promise<Report> {
  const state = mkdtempSync(join(tmpdir(), "wicket-bench-log-"));
  lab.stops.add(async () => rmSync(state, { recursive: true, force: true }));
  const edge = await start(lab, state);
  const rows: string[][] = [];
  let size = 0;
  for (const next of SIZES) {
    const began = performance.now();
    const from = size;
    for (; size < next; size = Math.min(next, size + CHUNK))
      await edge.log("log").fill(size, Math.min(CHUNK, next - size));
    const many = ((next - from) / (performance.now() - began)) * 1000;
    const alone = await median(async () => edge.log("log").fill(size++, 1));
    let bytes = 0;
    const proofs = await median(async (round) => {
      const indexes = Array.from({ length: PROOFS }, (_, i) => (i * 7919 + round * 104_729) % size);
      bytes = (await edge.log("log").prove(indexes)) / PROOFS;
    });
    const again = await median(async () => {
      await edge
        .log("log")
        .putAway()
        .catch(() => undefined);
      const start = performance.now();
      await edge.log("log").checkpoint();
      return performance.now() - start;
    });
    const kept = await edge.stored();
    rows.push([
      figure(size),
      ...[many, alone, proofs / PROOFS, bytes, again].map(figure),
      `${figure(kept.objects)}, ${figure(kept.bytes / 1e6)} MB`,
    ]);
  }
  // Another object over the same files has none of the first one's storage.
  const began = performance.now();
  await edge.log("another").checkpoint();
  const recovered = performance.now() - began;
  const head = ["entries", "put in, many at once, a second", "one alone, until it is published, ms"];
  return {
    tables: [
      {
        head: [...head, "a proof, ms", "a proof, bytes", "first answer after a restart, ms", "objects in R2"],
        rows,
      },
    ],
    notes: [
      `In workerd with its simulated R2 on disk. With the object's own storage lost, ${figure(size)} entries were read back from the files, checked, and answered for after ${figure(recovered)} ms. Entries have about 150 bytes.`,
    ],
  };
}

/** The median of some rounds, milliseconds; of what `run` says, or else of the time that it takes. */
async function median(run: (round: number) => Promise<unknown>): Promise<number> {
  const values: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    const said = await run(round);
    values.push(typeof said === "number" ? said : performance.now() - began);
  }
  return spread(values).median;
}

async function start(lab: Lab, state: string) {
  const built = await build({
    entryPoints: [join(import.meta.dirname, "log-worker.ts")],
    ...{ bundle: true, write: false, format: "esm", target: "es2024", external: ["node:*", "cloudflare:*"] },
  });
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: "log.js", contents: built.outputFiles[0]!.text }],
      compatibilityDate: "2026-11-17",
      durableObjects: { LOG: { className: "BenchLog", useSQLite: true } },
      r2Buckets: { RECORDINGS: "log" },
      bindings: {
        EDGE_ORIGIN: "https://edge.example",
        SIGNING_KEY: JSON.stringify(await exportJWK(pair.privateKey)),
      },
      resourcePersistencePath: state,
      host: "127.0.0.1",
      port: 0,
    } as never),
  );
  lab.stops.add(() => miniflare.dispose());
  await miniflare.ready;
  const objects = await miniflare.getDurableObjectNamespace("LOG");
  const bucket = (await miniflare.getR2Bucket("RECORDINGS")) as unknown as R2Bucket;
  return {
    log: (name: string) => objects.get(objects.idFromName(name)) as unknown as Log,
    async stored(): Promise<{ objects: number; bytes: number }> {
      let [count, bytes] = [0, 0];
      let cursor: string | undefined;
      do {
        const page = await bucket.list({ prefix: "log/", ...(cursor === undefined ? {} : { cursor }) });
        count += page.objects.length;
        for (const one of page.objects) bytes += one.size;
        cursor = page.truncated ? page.cursor : undefined;
      } while (cursor !== undefined);
      return { objects: count, bytes };
    },
  };
}
