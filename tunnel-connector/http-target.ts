/**
 * Where a connector finds a cluster or an HTTP API and its credential: a service account mounted in its pod, a
 * kubeconfig, or a URL with a header from a file. Secrets are read from files at each use, so that rotation needs
 * no restart, and never from the command line.
 */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import type { HttpTarget } from "./http-requests.ts";

/** How an operator names a target; one of the three forms. */
export type HttpTargetSource =
  | {
      readonly kind: "service-account";
      readonly folder?: string;
      readonly url?: string;
      readonly impersonate?: boolean;
    }
  | {
      readonly kind: "kubeconfig";
      readonly file: string;
      readonly context?: string;
      readonly impersonate?: boolean;
    }
  | {
      readonly kind: "http";
      readonly url: string;
      /** PEM file of the authority to trust. */
      readonly caFile?: string;
      /** Header that carries the credential, and the file that has its value. */
      readonly header?: { readonly name: string; readonly file: string };
    };

export type OpenedTarget =
  | { readonly ok: true; readonly target: HttpTarget }
  | { readonly ok: false; readonly message: string };

/** Where Kubernetes mounts a pod's service account. */
const MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Opens a target: reads what is needed once to fail early; credentials are read again for each request. */
export function openHttpTarget(source: HttpTargetSource): OpenedTarget {
  try {
    switch (source.kind) {
      case "service-account":
        return serviceAccount(
          source.folder ?? MOUNTED,
          source.url ?? "https://kubernetes.default.svc",
          source.impersonate ?? true,
        );
      case "kubeconfig":
        return kubeconfig(source.file, source.context ?? null, source.impersonate ?? true);
      case "http":
        return plain(source);
    }
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error));
  }
}

function serviceAccount(folder: string, url: string, impersonate: boolean): OpenedTarget {
  const tokenFile = resolve(folder, "token");
  const ca = readFileSync(resolve(folder, "ca.crt"), "utf8");
  readSecret(tokenFile);
  return cluster(url, {
    ca,
    impersonate,
    credential: () => [["authorization", `Bearer ${readSecret(tokenFile)}`]],
  });
}

interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: readonly {
    readonly name: string;
    readonly context: { readonly cluster: string; readonly user: string };
  }[];
  readonly clusters?: readonly { readonly name: string; readonly cluster: Record<string, unknown> }[];
  readonly users?: readonly { readonly name: string; readonly user: Record<string, unknown> }[];
}

function kubeconfig(file: string, wanted: string | null, impersonate: boolean): OpenedTarget {
  const folder = dirname(resolve(file));
  const config = parse(readFileSync(file, "utf8")) as Kubeconfig;
  const name = wanted ?? config["current-context"];
  const context = config.contexts?.find((found) => found.name === name)?.context;
  if (context === undefined) return refused(`the kubeconfig has no context ${JSON.stringify(name ?? "")}`);
  const found = config.clusters?.find(({ name }) => name === context.cluster)?.cluster;
  const user = config.users?.find(({ name }) => name === context.user)?.user;
  if (found === undefined || user === undefined)
    return refused("the kubeconfig's context names no cluster or no user");
  if (found["insecure-skip-tls-verify"] === true) {
    return refused("the kubeconfig turns TLS verification off, which a connector does not do");
  }
  const data = (value: Record<string, unknown>, key: string): string | null => {
    const inline = value[`${key}-data`];
    if (typeof inline === "string") return Buffer.from(inline, "base64").toString();
    const path = value[key];
    return typeof path === "string" ? readFileSync(resolve(folder, path), "utf8") : null;
  };
  const ca = data(found, "certificate-authority");
  const tokenFile = user["tokenFile"];
  const token = user["token"];
  const certificate = data(user, "client-certificate");
  const key = data(user, "client-key");
  if (typeof tokenFile === "string") {
    const path = resolve(folder, tokenFile);
    readSecret(path);
    return cluster(String(found["server"]), {
      ca,
      impersonate,
      credential: () => [["authorization", `Bearer ${readSecret(path)}`]],
    });
  }
  if (typeof token === "string") {
    return cluster(String(found["server"]), {
      ca,
      impersonate,
      credential: () => [["authorization", `Bearer ${token}`]],
    });
  }
  if (certificate !== null && key !== null) {
    return cluster(String(found["server"]), {
      ca,
      impersonate,
      credential: () => [],
      client: { certificate, key },
    });
  }
  return refused(
    "the kubeconfig's user has neither a token nor a client certificate; exec plugins are not run",
  );
}

function cluster(url: string, rest: Omit<HttpTarget, "url">): OpenedTarget {
  const base = baseUrl(url);
  if (base === null || !base.startsWith("https:")) return refused("a cluster is reached by https only");
  return { ok: true, target: { url: base, ...rest } };
}

function plain(source: HttpTargetSource & { kind: "http" }): OpenedTarget {
  const base = baseUrl(source.url);
  if (base === null)
    return refused("the target's URL must be http or https, without a query, a fragment or a user");
  const { header } = source;
  if (
    header !== undefined &&
    (!/^[a-z0-9-]{1,64}$/i.test(header.name) ||
      /^(host|connection|content-length|transfer-encoding|upgrade|te|trailer)$/i.test(header.name))
  ) {
    return refused(`the header ${JSON.stringify(header.name)} cannot carry a credential`);
  }
  const ca = source.caFile === undefined ? null : readFileSync(source.caFile, "utf8");
  if (header !== undefined) readSecret(header.file);
  return {
    ok: true,
    target: {
      url: base,
      ca,
      impersonate: false,
      credential: () => (header === undefined ? [] : [[header.name.toLowerCase(), readSecret(header.file)]]),
    },
  };
}

/** Origin and path prefix without a slash at the end, or null. */
function baseUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (
    !/^https?:$/.test(url.protocol) ||
    url.username !== "" ||
    url.password !== "" ||
    url.search !== "" ||
    url.hash !== ""
  ) {
    return null;
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** A secret of one line from a file that only its owner (or group) may read. */
function readSecret(file: string): string {
  if ((statSync(file).mode & 0o007) !== 0 && !file.startsWith(MOUNTED)) {
    throw new Error(`${file} can be read by everyone: take the permission away (chmod 600)`);
  }
  const text = readFileSync(file, "utf8").trim();
  if (text === "" || !/^[\x21-\x7e][\x20-\x7e]*$/.test(text))
    throw new Error(`${file} has no credential of one line`);
  return text;
}

function refused(message: string): OpenedTarget {
  return { ok: false, message };
}
