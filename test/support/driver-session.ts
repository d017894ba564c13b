/** The `pg` driver as it is; every message that it gets is noted, so that two ways of running can be compared. */
import pg from "pg";
import { leavesNoTrace, type Transcript } from "./corpus.ts";

interface Column {
  readonly name: string;
  readonly dataTypeID: number;
  readonly dataTypeModifier: number;
}

interface Refused extends Error {
  readonly code?: string;
  readonly detail?: string;
}

/** The driver's connection: it emits each message. */
interface Connection {
  on(event: string, listener: (message: never) => void): void;
  off(event: string, listener: (message: never) => void): void;
}

/** The gate says its reason in DETAIL, which it takes out of the server's own errors. */
const REASON = /^Reason: ([A-Z_]+)\.$/;

/** Connections of the driver, of which one that a statement left as it was serves another statement. */
export class DriverSessions {
  readonly #config: pg.ClientConfig;
  readonly #idle: pg.Client[] = [];
  readonly #over = new WeakSet<pg.Client>();

  constructor(config: pg.ClientConfig) {
    this.#config = config;
  }

  /** Runs one statement; with parameters in the extended protocol. */
  async run(sql: string, params: readonly string[] | undefined): Promise<Transcript> {
    const traceless = leavesNoTrace(sql);
    const client = (traceless ? this.#idle.pop() : undefined) ?? (await this.#connect());
    const shown = await runOn(client, sql, params);
    if (traceless && !this.#over.has(client)) this.#idle.push(client);
    else await client.end().catch(() => {});
    return shown;
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client(this.#config);
    client.on("error", () => this.#over.add(client));
    client.on("end", () => this.#over.add(client));
    await client.connect();
    return client;
  }

  async close(): Promise<void> {
    for (const client of this.#idle.splice(0)) await client.end().catch(() => {});
  }
}

async function runOn(
  client: pg.Client,
  sql: string,
  params: readonly string[] | undefined,
): Promise<Transcript> {
  const out = {
    columns: [] as string[][],
    rows: [] as string[],
    tags: [] as string[],
    notices: [] as string[],
  };
  const noticed = (notice: { message?: string | undefined }): unknown =>
    out.notices.push(notice.message ?? "");
  client.on("notice", noticed);
  const { connection } = client as unknown as { connection: Connection };
  const listeners = {
    rowDescription: ({ fields }: { fields: Column[] }) =>
      out.columns.push(
        fields.map(({ name, dataTypeID, dataTypeModifier: modifier }) => {
          return `${name}${modifier === -1 ? "" : `(${modifier})`}:${dataTypeID}`;
        }),
      ),
    dataRow: ({ fields }: { fields: (string | null)[] }) => out.rows.push(JSON.stringify(fields)),
    copyData: ({ chunk }: { chunk: Buffer }) => out.rows.push(JSON.stringify(chunk.toString("latin1"))),
    commandComplete: ({ text }: { text: string }) => out.tags.push(text),
  };
  for (const [event, listener] of Object.entries(listeners)) connection.on(event, listener as never);
  let error: Transcript["error"] = null;
  let denied: string | null = null;
  try {
    await (params ? client.query(sql, [...params]) : client.query(sql));
  } catch (cause) {
    const refused = cause as Refused;
    error = { code: refused.code ?? "", message: refused.message };
    denied = REASON.exec(refused.detail ?? "")?.[1] ?? null;
  }
  client.off("notice", noticed);
  for (const [event, listener] of Object.entries(listeners)) connection.off(event, listener as never);
  return { denied, error, ...out };
}
