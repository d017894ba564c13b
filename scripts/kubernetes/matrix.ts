/**
 * Runs each version of kubectl through the whole system, command by command, and puts the table into
 * docs/kubernetes.md. Fails when something does not work that is not known to need a newer kubectl.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type KubectlVersion, kubectl, kubectlVersions, oldKubectl } from "../../test/apiserver/kubectl.ts";
import { startCluster } from "../../test/support/cluster.ts";
import { kubectlCommands, operateTask, startEcho } from "../../test/support/kubectl-commands.ts";

const page = join(import.meta.dirname, "..", "..", "docs", "kubernetes.md");
const [start, end] = ["<!-- table: kubectl -->", "<!-- end -->"];

const echo = await startEcho();
const commands = kubectlCommands(echo.port);
const failures: string[] = [];
const cluster = await startCluster({ operate: operateTask(echo.port) });

interface Column {
  readonly title: string;
  readonly cells: readonly string[];
}

/** One version; null when it is not installed. */
async function columnOf(version: KubectlVersion): Promise<Column | null> {
  const binary = kubectl(version);
  if (binary === null) {
    console.error(`${version}: not installed, left out`);
    return null;
  }
  // A home of its own: versions keep what they discovered in different ways.
  const home = await cluster.home("tina", "operate");
  const client = await home.run(binary, ["version", "--client", "-o", "json"]);
  const { clientVersion } = JSON.parse(client.stdout) as { clientVersion: { gitVersion: string } };
  const cells: string[] = [];
  for (const [i, command] of commands.entries()) {
    const said = await command.run(binary, home, `m-${version}-${i}`);
    cells.push(cellOf(version, command.name, said, command.says));
    console.error(`${clientVersion.gitVersion} ${command.name}: ${cells.at(-1)}`);
  }
  return { title: clientVersion.gitVersion.replace(/^v/, ""), cells };
}

const columns: Column[] = [];
try {
  for (const version of [oldKubectl, ...kubectlVersions]) {
    const column = await columnOf(version);
    if (column) columns.push(column);
  }
} finally {
  await cluster.close();
  echo.close();
}

const table = [
  `| command | ${columns.map(({ title }) => title).join(" | ")} |`,
  `| --- | ${columns.map(() => "---").join(" | ")} |`,
  ...commands.map(({ name }, i) => `| \`${name}\` | ${columns.map(({ cells }) => cells[i]).join(" | ")} |`),
].join("\n");
const before = readFileSync(page, "utf8");
const from = before.indexOf(start) + start.length;
const to = before.indexOf(end, from);
if (from < start.length || to < 0) throw new Error(`${page} has no place for the table`);
writeFileSync(page, `${before.slice(0, from)}\n${table}\n${before.slice(to)}`);
for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 || columns.length === 0 ? 1 : 0;

function cellOf(
  version: KubectlVersion,
  name: string,
  said: { readonly code: number; readonly stdout: string; readonly stderr: string },
  says: RegExp,
): string {
  if (said.code === 0 && says.test(said.stdout)) return "yes";
  // The refusal itself says which version is needed.
  const needed = /needs kubectl [\d.]+ or newer for exec and ([\d.]+) for port-forward/.exec(said.stderr);
  if (needed) return `needs ${name === "port-forward" ? needed[1] : "1.30"}`;
  // Up to 1.33 `get --raw` asks for the path alone and leaves out that of the server's URL.
  if (name === "get --raw" && /could not find the requested resource/.test(said.stderr)) return "no";
  failures.push(`${version} ${name}: code ${said.code}: ${said.stderr.trim().slice(0, 300)}`);
  return "no";
}
