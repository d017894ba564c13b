import { availableParallelism } from "node:os";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { prepareConsole } from "./scripts/prepare-console.ts";

const pure = ["wire/**/*.test.ts", "policies/**/*.test.ts"];
const nodeOnly = ["{wire,policies}/**/*.node.test.ts"];
// A key for tests, in the place of the deployment's secret.
process.env["SIGNING_KEY"] ??=
  '{"kty":"OKP","crv":"Ed25519","d":"clIZVP5LJCELbapTEw4z4SeRCUKTIIPnC5Q7uSNU17M","x":"M-wNm-eULA-sT70adKsCWZBhTNYZ4TD-cQHqsBFZFd0"}';

const workerd = { compatibilityDate: "2026-11-17", compatibilityFlags: ["nodejs_compat"] };

// The Worker imports it; a run on a fresh checkout must find it.
await prepareConsole();

/**
 * Four groups:
 * - node: the pure rooms and the shells' own parts, in Node;
 * - workerd: the pure rooms again, in the edge's runtime;
 * - worker: the edge shell, in workerd with its real bindings (wrangler.toml);
 * - e2e: the whole system with real parts.
 */
export default defineConfig({
  test: {
    reporters: ["default"],
    // Tests of the whole system wait more than they compute: one more at a time than there are processors, three at
    // least (vitest's own choice for two processors is one). The longest begin first, the pure rooms fill the end.
    maxWorkers: Math.max(3, availableParallelism() + 1),
    projects: [
      {
        test: {
          name: "node",
          include: [...pure, "{tunnel-connector,client,scripts,witness}/**/*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        plugins: [cloudflareTest({ miniflare: workerd })],
        test: {
          name: "workerd",
          include: pure,
          exclude: [...nodeOnly, "node_modules/**"],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./wrangler.toml" } })],
        test: {
          name: "worker",
          include: ["worker/**/*.test.{ts,tsx}"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/**/*.test.ts"],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
    ],
  },
});
