/**
 * A real PostgreSQL for tests, in a temporary folder, on a free loopback port, with a superuser `postgres` that needs
 * no password: the embedded one, or another that is installed.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../../client/dev/embedded-postgres.ts";
import { freePort } from "../../client/dev/ports.ts";

export interface TestPostgres {
  readonly port: number;
  /** `postgres://postgres@127.0.0.1:<port>/postgres` */
  readonly url: string;
  /** Fast shutdown; resolves when the process has ended and its folder is gone. */
  stop(): Promise<void>;
}

/** The servers that Debian's packages `postgresql-<major>` installed: the folders of their programs. */
export function debianServers(): { readonly major: number; readonly programs: string }[] {
  const all = "/usr/lib/postgresql";
  return (existsSync(all) ? readdirSync(all) : [])
    .map((major) => ({ major: Number(major), programs: join(all, major, "bin") }))
    .filter(({ programs }) => existsSync(join(programs, "initdb")));
}

/**
 * Starts a server; `settings` are given as `-c name=value`.
 * @param programs folder of `initdb` and `postgres`; the embedded ones when left out
 * @param log takes what the server writes to its log, in pieces
 */
export async function startPostgres(
  settings: Record<string, string> = {},
  programs?: string,
  log?: (text: string) => void,
): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), "wicket-pg-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const port = await freePort();
    const server = await startEmbeddedPostgres({
      ...{ folder, port, password: null, settings },
      ...(programs === undefined ? {} : { programs }),
      ...(log ? { log } : {}),
    });
    return {
      port,
      url: `postgres://postgres@127.0.0.1:${port}/postgres`,
      async stop() {
        await server.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}
