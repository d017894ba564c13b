/** The three databases of the SQL cases on a server of their own. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { corpusFolder } from "./corpus.ts";
import { debianServers, startPostgres, type TestPostgres } from "./postgres.ts";

/** Why the cases cannot run here; null when they can. */
export function corpusObstacle(): string | null {
  if (corpusFolder() === null) return "the SQL cases are not here (WICKET_CORPUS)";
  if (spawnSync("psql", ["--version"]).status !== 0)
    return "psql, which builds the databases of the SQL cases, is not here";
  return null;
}

/** The servers that the cases run on: PostgreSQL's version, and its programs when they are not the embedded ones. */
export const corpusServers: readonly { readonly major: number; readonly programs?: string }[] = [
  { major: 18 },
  ...debianServers().filter(({ major }) => major !== 18),
];
if (corpusServers.length === 1)
  console.warn("run on the embedded PostgreSQL only: no other is installed (apt install postgresql)");

/** Starts a server with the databases `na`, `nb` and `nm`. */
export async function startCorpusDatabases(programs?: string): Promise<TestPostgres> {
  const server = await startPostgres({}, programs);
  const built = spawnSync("bash", [join(corpusFolder()!, "setup.sh"), String(server.port)], {
    encoding: "utf8",
  });
  if (built.status !== 0 || !built.stdout.includes("nm")) {
    await server.stop();
    throw new Error(`the databases of the SQL cases were not built: ${built.stderr}`);
  }
  return server;
}
