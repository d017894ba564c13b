/** The edge's API as the recording commands use it. */
import { readFileSync } from "node:fs";

/** Authenticated requests to one edge. Both methods throw `EdgeRefusal` for an answer that is not 2xx. */
export interface EdgeApi {
  json(path: string): Promise<unknown>;
  /** At most `limit` bytes. */
  bytes(path: string, limit: number): Promise<Uint8Array>;
}

/** The edge said no, in its words. */
export class EdgeRefusal extends Error {
  override readonly name = "EdgeRefusal";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** The API of an edge with a bearer token, read from a file at each request: it may be renewed meanwhile. */
export function edgeApi(edge: string, token: () => string): EdgeApi {
  const origin = new URL(edge).origin;
  async function get(path: string): Promise<Response> {
    const headers = { authorization: `Bearer ${token()}`, accept: "application/json" };
    const response = await fetch(origin + path, { headers, redirect: "error" });
    if (response.ok) return response;
    const refusal = (await response.json().catch(() => ({}))) as { code?: unknown; message?: unknown };
    const code = typeof refusal.code === "string" ? refusal.code : `HTTP_${response.status}`;
    const message = typeof refusal.message === "string" ? refusal.message : response.statusText;
    throw new EdgeRefusal(response.status, code, message);
  }
  return {
    json: async (path) => (await get(path)).json(),
    bytes: async (path, limit) => {
      const response = await get(path);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of response.body ?? []) {
        size += chunk.length;
        if (size > limit) throw new Error(`the answer to ${path} is larger than ${limit} bytes`);
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    },
  };
}

/** The token in a file, without the line break at its end. */
export function tokenFile(path: string): () => string {
  return () => readFileSync(path, "utf8").trim();
}
