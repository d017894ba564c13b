/** The whole system with a cluster behind it: `wicket dev`, its connector, and the stand-in for an API server. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type KubeHome, kubeHome } from "../apiserver/kubectl.ts";
import { type ApiServer, startApiServer } from "../apiserver/server.ts";
import { type System, startSystem } from "./system.ts";

export interface Cluster {
  readonly api: ApiServer;
  readonly system: System;
  /** With the cluster's own credential. */
  readonly direct: KubeHome;
  /** With a context that `wicket kubeconfig` wrote for a person and a task. */
  home(person: string, task: string): Promise<KubeHome>;
  /** Ends everything and removes what was made. */
  close(): Promise<void>;
}

const PEOPLE = `version: 1
people:
  tina: { groups: [support] }
  lee: { groups: [support, leads] }
  omar: { groups: [warehouse] }
`;

/** `tasks`: the text of each task file by its name; `resources`: more of resources.yaml, and their targets. */
export async function startCluster(
  tasks: Readonly<Record<string, string>>,
  more: { readonly resources?: string; readonly target?: Readonly<Record<string, string>> } = {},
): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "wicket-cluster-"));
  const library = join(folder, "library");
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(library, path)), { recursive: true });
    writeFileSync(join(library, path), text);
  };
  const cluster = "prod-cluster: { type: kubernetes, connector: demo }";
  write("resources.yaml", `version: 1\nresources:\n  ${cluster}\n${more.resources ?? ""}`);
  write("people.yaml", PEOPLE);
  for (const [name, text] of Object.entries(tasks)) write(`tasks/${name}.yaml`, text);
  const api = await startApiServer();
  const direct = kubeHome(api.url, api.ca, { token: api.token });
  const homes = [direct];
  let system: System | null = null;
  const close = async () => {
    for (const home of homes) home.close();
    await system?.stop();
    await api.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    system = await startSystem({
      policies: library,
      target: { "prod-cluster": direct.config, ...more.target },
    });
  } catch (error) {
    await close();
    throw error;
  }
  const running = system;
  return {
    ...{ api, system: running, direct, close },
    async home(person, task) {
      const home = kubeHome(running.https!.origin, running.https!.authority, {});
      homes.push(home);
      rmSync(home.config);
      const made = await running.wicket(
        [
          ...["kubeconfig", "prod-cluster", "--task", task, "--namespace", "shop"],
          ...["--file", home.config, "--token", running.tokenFile(person)],
        ],
        { as: null },
      );
      if (made.code !== 0) throw new Error(made.stderr);
      return home;
    },
  };
}
