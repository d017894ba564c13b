/**
 * The signature of an assertion: by the configured certificate and no other, over exactly this assertion, with the
 * algorithms listed here. What the signature covers is returned, and nothing else may be read.
 */
import { SignedXml } from "xml-crypto";
import { children, everyElement, onlyChild, type XmlElement } from "./document.ts";

export const DSIG = "http://www.w3.org/2000/09/xmldsig#";
const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED = `${DSIG}enveloped-signature`;
const SIGNATURES = [
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
  "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
  "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
];
const DIGESTS = ["http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmlenc#sha512"];

/** A signature that has the one form that is accepted, over `holder`. */
function isStrict(signature: XmlElement, holder: XmlElement): boolean {
  const names = children(signature).map((one) => (one.namespaceURI === DSIG ? one.localName : "?"));
  if (!/^SignedInfo,SignatureValue(,KeyInfo)?$/.test(names.join(","))) return false;
  const info = onlyChild(signature, DSIG, "SignedInfo")!;
  const parts = children(info).map((one) => (one.namespaceURI === DSIG ? one.localName : "?"));
  if (parts.join(",") !== "CanonicalizationMethod,SignatureMethod,Reference") return false;
  const [canonicalization, method, reference] = children(info) as [XmlElement, XmlElement, XmlElement];
  if (canonicalization.getAttribute("Algorithm") !== EXCLUSIVE) return false;
  if (!SIGNATURES.includes(method.getAttribute("Algorithm") ?? "")) return false;
  if (reference.getAttribute("URI") !== `#${holder.getAttribute("ID")}`) return false;
  const inside = children(reference).map((one) => one.localName);
  if (inside.join(",") !== "Transforms,DigestMethod,DigestValue") return false;
  const [transforms, digest] = children(reference) as [XmlElement, XmlElement];
  const applied = children(transforms).map((one) => one.getAttribute("Algorithm"));
  if (applied.join(" ") !== `${ENVELOPED} ${EXCLUSIVE}`) return false;
  return DIGESTS.includes(digest.getAttribute("Algorithm") ?? "");
}

/**
 * The canonical text of `holder` as it was signed; null when its own signature is not one by a certificate of
 * `certificates` (PEM). `document` is the text that `holder` was read from.
 */
export function signedText(
  document: string,
  holder: XmlElement,
  certificates: readonly string[],
): string | null {
  const signature = onlyChild(holder, DSIG, "Signature");
  if (!signature || !isStrict(signature, holder)) return null;
  for (const certificate of certificates) {
    const check = new SignedXml({ publicCert: certificate, getCertFromKeyInfo: () => null });
    keepOnly(check.SignatureAlgorithms, SIGNATURES);
    keepOnly(check.HashAlgorithms, DIGESTS);
    keepOnly(check.CanonicalizationAlgorithms, [EXCLUSIVE, ENVELOPED]);
    try {
      check.loadSignature(signature as never);
      if (!check.checkSignature(document)) continue;
    } catch {
      continue;
    }
    const signed = check.getSignedReferences();
    return signed.length === 1 ? signed[0]! : null;
  }
  return null;
}

/** True when every identifier in the document is there once, under whatever name it could be looked up. */
export function hasUniqueIds(root: XmlElement): boolean {
  const seen = new Set<string>();
  for (const element of everyElement(root)) {
    for (let index = 0; index < element.attributes.length; index++) {
      const { localName, nodeName, value } = element.attributes[index]!;
      if ((localName ?? nodeName).toLowerCase() !== "id") continue;
      if (seen.has(value)) return false;
      seen.add(value);
    }
  }
  return true;
}

function keepOnly(table: object, names: readonly string[]): void {
  for (const name of Object.keys(table)) if (!names.includes(name)) delete table[name as never];
}
