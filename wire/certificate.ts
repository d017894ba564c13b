/**
 * Self-made X.509 certificates for local development and tests: an authority and a leaf signed by it, ECDSA P-256
 * with SHA-256 (RFC 5280, RFC 5480). DER is written by hand because neither Node nor workerd can make certificates.
 */

export interface MadeCertificates {
  /** PEM of the authority: what clients trust. Its key is thrown away. */
  readonly authority: string;
  /** PEM of the leaf. */
  readonly certificate: string;
  /** PEM of the leaf's private key, PKCS #8. */
  readonly key: string;
}

/** Makes both. `hosts`: DNS names and IPv4 addresses; `now` in milliseconds since the epoch. */
export async function makeCertificates(
  hosts: readonly string[],
  now: number,
  days = 365,
): Promise<MadeCertificates> {
  const ca = await keyPair();
  const leaf = await keyPair();
  const subject = name("Wicketgate local authority");
  const authority = await certificate({
    issuer: subject,
    subject,
    subjectKey: ca.publicKey,
    signer: ca.privateKey,
    now,
    days,
    extensions: [
      extension([0x55, 0x1d, 0x13], true, sequence(der(0x01, Uint8Array.of(0xff)))),
      extension([0x55, 0x1d, 0x0f], true, der(0x03, Uint8Array.of(1, 0x06))),
    ],
  });
  const made = await certificate({
    issuer: subject,
    subject: name(hosts[0] ?? "localhost"),
    subjectKey: leaf.publicKey,
    signer: ca.privateKey,
    now,
    days,
    extensions: [
      extension([0x55, 0x1d, 0x11], false, sequence(...hosts.map(alternative))),
      extension([0x55, 0x1d, 0x25], false, sequence(oid([0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01]))),
    ],
  });
  const pkcs8 = new Uint8Array((await crypto.subtle.exportKey("pkcs8", leaf.privateKey)) as ArrayBuffer);
  return {
    authority: pem("CERTIFICATE", authority),
    certificate: pem("CERTIFICATE", made),
    key: pem("PRIVATE KEY", pkcs8),
  };
}

interface CertificateParts {
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly subjectKey: CryptoKey;
  readonly signer: CryptoKey;
  readonly now: number;
  readonly days: number;
  readonly extensions: readonly Uint8Array[];
}

async function certificate(parts: CertificateParts): Promise<Uint8Array> {
  const spki = new Uint8Array((await crypto.subtle.exportKey("spki", parts.subjectKey)) as ArrayBuffer);
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const algorithm = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
  const body = sequence(
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, serial),
    algorithm,
    parts.issuer,
    sequence(time(parts.now - 3_600_000), time(parts.now + parts.days * 86_400_000)),
    parts.subject,
    spki,
    der(0xa3, sequence(...parts.extensions)),
  );
  const hash = { name: "ECDSA", hash: "SHA-256" };
  const raw = new Uint8Array(await crypto.subtle.sign(hash, parts.signer, body as Uint8Array<ArrayBuffer>));
  const signature = sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
  return sequence(body, algorithm, der(0x03, Uint8Array.of(0, ...signature)));
}

async function keyPair(): Promise<CryptoKeyPair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  return (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as CryptoKeyPair;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 128
      ? [tag, length]
      : length < 256
        ? [tag, 0x81, length]
        : [tag, 0x82, (length >> 8) & 0xff, length & 0xff];
  const out = new Uint8Array(head.length + length);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return der(0x30, ...parts);
}

function oid(bytes: readonly number[]): Uint8Array {
  return der(0x06, Uint8Array.from(bytes));
}

function integer(bytes: Uint8Array): Uint8Array {
  let at = 0;
  while (at < bytes.length - 1 && bytes[at] === 0) at++;
  const rest = bytes.subarray(at);
  return der(0x02, rest[0]! >= 0x80 ? Uint8Array.of(0, ...rest) : rest);
}

function name(common: string): Uint8Array {
  const value = der(0x0c, new TextEncoder().encode(common));
  return sequence(der(0x31, sequence(oid([0x55, 0x04, 0x03]), value)));
}

function extension(id: readonly number[], critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [der(0x01, Uint8Array.of(0xff))] : [];
  return sequence(oid(id), ...flag, der(0x04, value));
}

function alternative(host: string): Uint8Array {
  const address = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(host);
  if (address !== null) return der(0x87, Uint8Array.from(address.slice(1).map(Number)));
  return der(0x82, new TextEncoder().encode(host));
}

/** GeneralizedTime from 2050 on, UTCTime before (RFC 5280, 4.1.2.5). */
function time(at: number): Uint8Array {
  const text = `${new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  const late = new Date(at).getUTCFullYear() >= 2050;
  return der(late ? 0x18 : 0x17, new TextEncoder().encode(late ? text : text.slice(2)));
}

function pem(label: string, bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes)).replace(/.{64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${text}\n-----END ${label}-----\n`;
}
