/**
 * `connector.yaml`: the one configuration file of a connector. Unknown keys are errors, each with its line.
 *
 *     version: 1
 *     name: demo                                # as resources.yaml of the policies names it
 *     edge: https://edge.example.com
 *     state: /var/lib/wicket-connector          # key, token key and spool; made with mode 0700
 *     status: 127.0.0.1:20241                   # /healthz /readyz /metrics; `off` for none
 *     drain: 30s                                # how long sessions may go on after SIGTERM
 *     log: info
 *     spool: { max: 1GiB }                      # recordings that are not uploaded yet
 *     sealing:                                  # recordings that only auditors can read
 *       auditors: [auditor.pub.jwk]             # their public keys: `wicket recording keygen`
 *       seal: tasks                             # what tasks say; `always` = every recording
 *     resources:
 *       orders-db:
 *         type: postgres
 *         host: db.internal
 *         port: 5432
 *         database: orders
 *         user: wicket_orders                   # no superuser, no owner of tables
 *         password: ${file:/run/secrets/orders} # secrets come from files only
 *         tls: { mode: verify-full, ca: /etc/ssl/db-ca.pem }
 *         token_key: ${file:/run/secrets/orders-token-key}  # only to share the `token` mask among connectors
 *       prod:
 *         type: kubernetes
 *         service_account: {}                   # or kubeconfig: { file, context }
 *       billing:
 *         type: http
 *         url: https://billing.internal
 *         ca: /etc/ssl/billing-ca.pem
 *         header: { name: authorization, file: /run/secrets/billing }
 *
 * Relative paths are relative to the file's folder.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { LineCounter, parseDocument } from "yaml";
import type { HttpTargetSource } from "./http-target.ts";
import type { Level } from "./log.ts";

/** A secret that is read from its file when it is needed, so that rotation needs no restart. */
export interface Secret {
  read(): string;
}

export interface TlsSettings {
  /** `verify-full`: certificate and name are checked. `off`: no encryption, for loopback and sockets. */
  readonly mode: "verify-full" | "off";
  /** PEM file of the authority to trust instead of the system's. */
  readonly ca: string | null;
  /** Name that the certificate must have, when it is not `host`. */
  readonly name: string | null;
  /** PEM files of a client certificate and its key. */
  readonly cert: string | null;
  readonly key: string | null;
}

export interface PostgresResource {
  readonly type: "postgres";
  readonly name: string;
  /** Host name, address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: Secret | null;
  readonly tls: TlsSettings;
  readonly tokenKey: Secret | null;
}

export interface HttpResource {
  readonly type: "kubernetes" | "http";
  readonly name: string;
  readonly source: HttpTargetSource;
}

export type ConnectorResource = PostgresResource | HttpResource;

export interface ConnectorConfig {
  readonly name: string;
  /** Origin of the edge. */
  readonly edge: string;
  readonly state: string;
  readonly status: { readonly host: string; readonly port: number } | null;
  readonly drainMs: number;
  readonly log: Level;
  /** Bytes. */
  readonly spoolMax: number;
  /** Files of the auditors' public keys, and whether every recording is sealed to them. */
  readonly sealing: { readonly auditors: readonly string[]; readonly always: boolean };
  readonly resources: readonly ConnectorResource[];
}

export type ConfigReading =
  | { readonly ok: true; readonly config: ConnectorConfig }
  | { readonly ok: false; readonly problems: readonly string[] };

const text = v.pipe(v.string("must be text"), v.minLength(1, "must not be empty"), v.maxLength(4096));
const name = v.pipe(text, v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be small letters, digits and dashes"));
const fileSecret = v.pipe(
  text,
  v.regex(/^\$\{file:[^}]+\}$/, `must come from a file: \${file:/path/to/it}`),
  v.transform((value) => value.slice(7, -1)),
);
const port = v.pipe(
  v.number("must be a number"),
  v.integer(),
  v.minValue(0),
  v.maxValue(65535, "is no port number"),
);
const units: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const size = v.pipe(
  text,
  v.regex(/^\d{1,9}(B|KiB|MiB|GiB)$/, "must be a size such as 512MiB"),
  v.transform((value) => {
    const match = /^(\d+)(.*)$/.exec(value)!;
    return Number(match[1]) * units[match[2]!]!;
  }),
);
const duration = v.pipe(
  text,
  v.regex(/^\d{1,6}(s|m)$/, "must be a time such as 30s"),
  v.transform((value) => Number.parseInt(value, 10) * (value.endsWith("m") ? 60_000 : 1000)),
);
const edge = v.pipe(
  text,
  v.check(isEdge, "must be an https origin such as https://edge.example.com (http only on loopback)"),
  v.transform((value) => new URL(value).origin),
);
const status = v.pipe(
  text,
  v.regex(
    /^(off|(127(\.\d{1,3}){3}|localhost|0\.0\.0\.0|\[::1\]):\d{1,5})$/,
    "must be `off` or like 127.0.0.1:20241",
  ),
);

const tls = v.strictObject({
  mode: v.optional(v.picklist(["verify-full", "off"], "must be verify-full or off"), "verify-full"),
  ca: v.optional(text),
  name: v.optional(text),
  cert: v.optional(text),
  key: v.optional(text),
});
const postgres = v.strictObject({
  type: v.literal("postgres"),
  host: text,
  port: v.optional(port, 5432),
  database: text,
  user: text,
  password: v.optional(fileSecret),
  tls: v.optional(tls, {}),
  token_key: v.optional(fileSecret),
});
const kubernetes = v.strictObject({
  type: v.literal("kubernetes"),
  service_account: v.optional(
    v.strictObject({ folder: v.optional(text), url: v.optional(text), impersonate: v.optional(v.boolean()) }),
  ),
  kubeconfig: v.optional(
    v.strictObject({ file: text, context: v.optional(text), impersonate: v.optional(v.boolean()) }),
  ),
});
const http = v.strictObject({
  type: v.literal("http"),
  url: text,
  ca: v.optional(text),
  header: v.optional(v.strictObject({ name: text, file: text })),
});
const file = v.strictObject({
  version: v.literal(1, "must be 1"),
  name,
  edge,
  state: text,
  status: v.optional(status, "127.0.0.1:20241"),
  drain: v.optional(duration, "30s"),
  log: v.optional(v.picklist(["debug", "info", "warn", "error"]), "info"),
  spool: v.optional(v.strictObject({ max: v.optional(size, "1GiB") }), {}),
  sealing: v.optional(
    v.strictObject({
      auditors: v.pipe(v.array(text), v.minLength(1, "must name at least one"), v.maxLength(16)),
      seal: v.optional(v.picklist(["tasks", "always"], "must be tasks or always"), "tasks"),
    }),
  ),
  resources: v.record(
    name,
    v.variant("type", [postgres, kubernetes, http], "must be postgres, kubernetes or http"),
  ),
});

type File = v.InferOutput<typeof file>;

/** Reads and checks the file. Secrets are looked for, but read only when they are used. */
export function readConfig(path: string): ConfigReading {
  let content: string;
  try {
    if ((statSync(path).mode & 0o002) !== 0) {
      return { ok: false, problems: [`${path}: everyone may write to it; chmod o-w ${path}`] };
    }
    content = readFileSync(path, "utf8");
  } catch (error) {
    return { ok: false, problems: [`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`] };
  }
  return parseConfig(content, path);
}

/** Checks the text of a file that stands, or would stand, at `path`. */
export function parseConfig(content: string, path: string): ConfigReading {
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const problems = document.errors.map(
    (error) => `${path}:${lines.linePos(error.pos[0]).line}: ${error.message.split("\n")[0]}`,
  );
  if (problems.length > 0) return { ok: false, problems };
  const parsed = v.safeParse(file, document.toJS() as unknown);
  if (!parsed.success) {
    const seen = parsed.issues.map((issue) => {
      const keys = (issue.path ?? []).map((item) => item.key as string | number);
      const unknown = issue.type === "strict_object" && issue.expected === "never";
      const missing = issue.received === "undefined";
      let node: unknown = null;
      for (let depth = keys.length; depth >= 0 && !hasRange(node); depth--) {
        node = depth === 0 ? document.contents : document.getIn(keys.slice(0, depth), true);
      }
      const line = hasRange(node) ? lines.linePos(node.range[0]).line : 1;
      const what = unknown ? "is not a key that is known here" : missing ? "is missing" : issue.message;
      return `${path}:${line}: ${keys.join(".") || "the file"}: ${what}`;
    });
    return { ok: false, problems: [...new Set(seen)] };
  }
  return build(parsed.output, path);
}

function hasRange(node: unknown): node is { range: readonly [number, number, number] } {
  return typeof node === "object" && node !== null && Array.isArray((node as { range?: unknown }).range);
}

function build(given: File, path: string): ConfigReading {
  const base = dirname(resolve(path));
  const at = (relative: string): string => resolve(base, relative);
  const problems: string[] = [];
  const secret = (relative: string | undefined, where: string): Secret | null => {
    if (relative === undefined) return null;
    const source = at(relative);
    const fault = secretFault(source);
    if (fault) problems.push(`${path}: ${where}: ${fault}`);
    return { read: () => readFileSync(source, "utf8").replace(/\r?\n$/, "") };
  };
  const resources = Object.entries(given.resources).map(([key, value]): ConnectorResource => {
    if (value.type === "postgres") {
      const { mode, ca, name: certified, cert, key: clientKey } = value.tls;
      return {
        ...{ type: "postgres", name: key, host: value.host, port: value.port, database: value.database },
        user: value.user,
        password: secret(value.password, `resources.${key}.password`),
        tokenKey: secret(value.token_key, `resources.${key}.token_key`),
        tls: {
          mode,
          ca: ca === undefined ? null : at(ca),
          name: certified ?? null,
          cert: cert === undefined ? null : at(cert),
          key: clientKey === undefined ? null : at(clientKey),
        },
      };
    }
    const source = httpSource(value, at);
    if (source === null)
      problems.push(`${path}: resources.${key}: give service_account or kubeconfig, one of them`);
    return { type: value.type, name: key, source: source ?? { kind: "service-account" } };
  });
  if (problems.length > 0) return { ok: false, problems };
  const colon = given.status.lastIndexOf(":");
  return {
    ok: true,
    config: {
      ...{ name: given.name, edge: given.edge, state: at(given.state), drainMs: given.drain, log: given.log },
      status:
        given.status === "off"
          ? null
          : {
              host: given.status.slice(0, colon).replace(/[[\]]/g, ""),
              port: Number(given.status.slice(colon + 1)),
            },
      spoolMax: given.spool.max,
      sealing: {
        auditors: (given.sealing?.auditors ?? []).map(at),
        always: given.sealing?.seal === "always",
      },
      resources,
    },
  };
}

function httpSource(
  value: v.InferOutput<typeof kubernetes> | v.InferOutput<typeof http>,
  at: (relative: string) => string,
): HttpTargetSource | null {
  if (value.type === "http") {
    const { url, ca, header } = value;
    return {
      ...{ kind: "http", url },
      ...(ca === undefined ? {} : { caFile: at(ca) }),
      ...(header === undefined ? {} : { header: { name: header.name, file: at(header.file) } }),
    };
  }
  const { service_account: account, kubeconfig } = value;
  if ((account === undefined) === (kubeconfig === undefined)) return null;
  const given = Object.fromEntries(
    Object.entries(account ?? kubeconfig!).filter(([, member]) => member !== undefined),
  );
  return account
    ? { kind: "service-account", ...given }
    : { kind: "kubeconfig", ...given, file: at(kubeconfig!.file) };
}

/** What speaks against a secret's file; null when nothing does. */
function secretFault(path: string): string | null {
  try {
    const { mode } = statSync(path);
    return (mode & 0o004) !== 0 && !path.startsWith("/var/run/secrets/")
      ? `everyone may read ${path}; chmod o-r ${path}`
      : null;
  } catch {
    return `${path} does not exist`;
  }
}

function isEdge(value: string): boolean {
  const url = URL.parse(value);
  if (url?.pathname !== "/" || url.search || url.hash || url.username || url.password) return false;
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && loopback);
}
