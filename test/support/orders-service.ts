/** A small HTTP API as it stands in a private network: it believes whoever has its key, and does all that HTTP allows. */
import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: number;
  readonly sha256: string;
}

export interface OrdersService {
  readonly url: string;
  readonly seen: Seen[];
  /** What its other server got: nobody sends it anything but by a redirect. */
  readonly strayed: IncomingHttpHeaders[];
  /** Streams of events that are open. */
  readonly listeners: Set<ServerResponse>;
  close(): void;
}

export const KEY = "Bearer service-key";

const order = (id: number) => ({
  id,
  status: "paid",
  customer: { name: "Tina", email: "tina@example.com", card: "4111111111111111" },
});

/** What `/v1/files/<n>` gives: bytes that no two offsets share. */
export function fileOf(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i + 4 <= size; i += 4) bytes.writeUInt32BE(i, i);
  return bytes;
}

export async function startOrdersService(): Promise<OrdersService> {
  const seen: Seen[] = [];
  const strayed: IncomingHttpHeaders[] = [];
  const listeners = new Set<ServerResponse>();
  const other = createServer((request, response) => {
    strayed.push(request.headers);
    response.end("{}");
  });
  const elsewhere = await listening(other);
  const server = createServer((request, response) => {
    const hash = createHash("sha256");
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      hash.update(chunk);
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      seen.push({ method, url, headers, bytes, sha256: hash.digest("hex") });
      const json = (value: unknown, status = 200, more: Record<string, string> = {}) => {
        const text = JSON.stringify(value);
        response.writeHead(status, { "content-type": "application/json", etag: '"1"', ...more });
        response.end(method === "HEAD" ? undefined : text);
      };
      if (headers.authorization !== KEY) return json({ error: "no key" }, 401);
      const path = url.split("?")[0]!.slice("/base".length);
      const file = /^\/v1\/files\/(\d+)$/.exec(path);
      if (file) {
        response.writeHead(200, { "content-type": "application/octet-stream" });
        return response.end(fileOf(Number(file[1])));
      }
      switch (path) {
        case "/v1/orders":
          return json({ items: [order(1), order(2)] }, 200, {
            "set-cookie": "session=1",
            server: "orders/1",
          });
        case "/v1/lines":
          response.writeHead(200, { "content-type": "application/x-ndjson" });
          return response.end(`${JSON.stringify(order(1))}\n${JSON.stringify(order(2))}\n`);
        case "/v1/gzip":
          response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
          return response.end(gzipSync(JSON.stringify(order(1))));
        case "/v1/polite":
          if (!/gzip/.test(String(headers["accept-encoding"]))) return json({ encoding: "identity" });
          response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
          return response.end(gzipSync('{"encoding":"gzip"}'));
        case "/v1/nothing":
          return response.writeHead(204).end();
        case "/v1/cached":
          if (headers["if-none-match"] === '"1"') return response.writeHead(304, { etag: '"1"' }).end();
          return json({ fresh: true });
        case "/v1/away":
          return response.writeHead(307, { location: `${elsewhere}/take` }).end();
        case "/v1/moved":
          return response.writeHead(301, { location: "/base/v1/admin" }).end();
        case "/v1/broken":
          response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
          response.write('{"customer":');
          return setTimeout(() => response.destroy(), 20);
        case "/v1/failing":
          return json({ error: "out of order", customer: order(1).customer }, 503, { "retry-after": "7" });
        case "/v1/events":
          response.writeHead(200, { "content-type": "text/event-stream" });
          response.write("event: hello\ndata: 1\n\n");
          listeners.add(response);
          return response.on("close", () => listeners.delete(response));
        default:
          return json(order(Number(path.split("/").at(-1))));
      }
    });
  });
  return {
    ...{ url: `${await listening(server)}/base`, seen, strayed, listeners },
    close() {
      for (const one of [server, other]) {
        one.closeAllConnections();
        one.close();
      }
    },
  };
}

async function listening(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
