/** `/healthz`, `/readyz` and `/metrics` (Prometheus text format 0.0.4), on loopback unless configured otherwise. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Connector } from "./connector.ts";

/** Starts listening; resolves with the port. Rejects when the port is taken. */
export async function startStatusServer(
  connector: Connector,
  version: string,
  at: { readonly host: string; readonly port: number },
): Promise<{ port: number; stop(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const send = (status: number, type: string, body: string): void => {
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(body);
    };
    if (request.method !== "GET" && request.method !== "HEAD") return send(405, "text/plain", "");
    switch (request.url) {
      case "/healthz":
        return send(200, "application/json", '{"status":"ok"}\n');
      case "/readyz": {
        const { online, sessions } = connector;
        const room = !connector.spool.full;
        const status = online && room ? "ready" : "not ready";
        const body = JSON.stringify({ status, online, spool: room ? "ok" : "full", sessions });
        return send(status === "ready" ? 200 : 503, "application/json", `${body}\n`);
      }
      case "/metrics":
        return send(200, "text/plain; version=0.0.4", metricsText(connector, version));
      default:
        return send(404, "text/plain", "");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(at.port, at.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Counters since the start, and what is now. */
export function metricsText(connector: Connector, version: string): string {
  const { counts, spool, uploader } = connector;
  const lines: string[] = [];
  const metric = (
    name: string,
    kind: "counter" | "gauge",
    help: string,
    values: [string, number][],
  ): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`);
    for (const [labels, value] of values) lines.push(`${name}${labels} ${value}`);
  };
  const one = (name: string, kind: "counter" | "gauge", help: string, value: number): void =>
    metric(name, kind, help, [["", value]]);
  metric("wicket_connector_build_info", "gauge", "The version that runs.", [[`{version="${version}"}`, 1]]);
  one("wicket_connector_online", "gauge", "1 while the edge is connected.", connector.online ? 1 : 0);
  one("wicket_connector_reconnects_total", "counter", "Times that the edge was lost.", connector.reconnects);
  one("wicket_connector_sessions", "gauge", "Sessions now.", connector.sessions);
  one("wicket_connector_sessions_total", "counter", "Sessions opened.", counts.sessions);
  one("wicket_connector_dials_total", "counter", "Sessions that the edge asked for.", counts.dials);
  metric(
    "wicket_connector_dial_failures_total",
    "counter",
    "Sessions that were not opened, by reason.",
    Object.entries(counts.dialFailures).map(([code, value]) => [`{code="${code}"}`, value]),
  );
  metric("wicket_connector_bytes_total", "counter", "Bytes of ended sessions, by direction.", [
    ['{direction="to_target"}', counts.bytesIn],
    ['{direction="to_edge"}', counts.bytesOut],
  ]);
  one("wicket_connector_spool_bytes", "gauge", "Recordings that are not uploaded yet.", spool.used);
  one("wicket_connector_spool_max_bytes", "gauge", "Bound of the spool.", spool.max);
  one(
    "wicket_connector_spool_sessions",
    "gauge",
    "Sessions with something in the spool.",
    spool.sessions.length,
  );
  one("wicket_connector_spool_full", "gauge", "1 while no new session may begin.", spool.full ? 1 : 0);
  one(
    "wicket_connector_uploaded_segments_total",
    "counter",
    "Segments that the edge has.",
    uploader.counts.segments,
  );
  one("wicket_connector_uploaded_bytes_total", "counter", "Bytes of them.", uploader.counts.bytes);
  one(
    "wicket_connector_upload_retries_total",
    "counter",
    "Uploads that were put off.",
    uploader.counts.failures,
  );
  one(
    "wicket_connector_upload_refused_total",
    "counter",
    "Recordings that were set aside.",
    uploader.counts.refused,
  );
  return `${lines.join("\n")}\n`;
}
