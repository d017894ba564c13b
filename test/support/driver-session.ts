/** The `pg` driver as it is; every message that it gets is noted, so that two ways of running can be compared. */
import pg from "pg";
import type { Transcript } from "./corpus.ts";

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
  on(event: "rowDescription", listener: (message: { fields: Column[] }) => void): void;
  on(event: "dataRow", listener: (message: { fields: (string | null)[] }) => void): void;
  on(event: "copyData", listener: (message: { chunk: Buffer }) => void): void;
  on(event: "commandComplete", listener: (message: { text: string }) => void): void;
  removeAllListeners(event: string): void;
}

/** The gate says its reason in DETAIL, which it takes out of the server's own errors. */
const REASON = /^Reason: ([A-Z_]+)\.$/;

/** Runs one statement on a connection of its own; with parameters in the extended protocol. */
export async function runWithDriver(
  config: pg.ClientConfig,
  sql: string,
  params: readonly string[] | undefined,
): Promise<Transcript> {
  const client = new pg.Client(config);
  client.on("error", () => {});
  await client.connect();
  const out = {
    columns: [] as string[][],
    rows: [] as string[],
    tags: [] as string[],
    notices: [] as string[],
  };
  client.on("notice", (notice) => out.notices.push(notice.message ?? ""));
  const { connection } = client as unknown as { connection: Connection };
  connection.on("rowDescription", ({ fields }) => {
    out.columns.push(
      fields.map(({ name, dataTypeID, dataTypeModifier: modifier }) => {
        return `${name}${modifier === -1 ? "" : `(${modifier})`}:${dataTypeID}`;
      }),
    );
  });
  connection.on("dataRow", ({ fields }) => out.rows.push(JSON.stringify(fields)));
  connection.on("copyData", ({ chunk }) => out.rows.push(JSON.stringify(chunk.toString("latin1"))));
  connection.on("commandComplete", ({ text }) => out.tags.push(text));
  let error: Transcript["error"] = null;
  let denied: string | null = null;
  try {
    await (params ? client.query(sql, [...params]) : client.query(sql));
  } catch (cause) {
    const refused = cause as Refused;
    error = { code: refused.code ?? "", message: refused.message };
    denied = REASON.exec(refused.detail ?? "")?.[1] ?? null;
  }
  await client.end().catch(() => {});
  return { denied, error, ...out };
}
