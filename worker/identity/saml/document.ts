/**
 * Reading XML for SAML, and refusing what SAML messages do not need: document types, entities, comments, CDATA and
 * processing instructions are where two readers of one document come to see different things.
 */
import { DOMParser } from "@xmldom/xmldom/lib/dom-parser.js";

/** An element, as far as it is used here. */
export interface XmlElement {
  readonly nodeType: number;
  readonly localName: string;
  readonly namespaceURI: string | null;
  readonly textContent: string | null;
  readonly parentNode: unknown;
  readonly childNodes: { readonly length: number; readonly [index: number]: XmlElement };
  readonly attributes: {
    readonly length: number;
    readonly [index: number]: {
      localName: string;
      nodeName: string;
      value: string;
      namespaceURI: string | null;
    };
  };
  getAttribute(name: string): string | null;
  hasAttribute(name: string): boolean;
}

const ELEMENT = 1;
const TEXT = 3;
/** Deeper than any response of a provider. */
const MAX_DEPTH = 40;
const MAX_ELEMENTS = 5_000;

/** The root of a document without anything that is not elements, attributes and text; null for any other. */
export function readXml(text: string): XmlElement | null {
  const body = text.replace(/^\uFEFF?<\?xml version="1\.0"[^<>?]*\?>/, "").trim();
  if (/<[!?]/.test(body)) return null;
  let root: XmlElement | null = null;
  try {
    const fail = (message: string): never => {
      throw new Error(message);
    };
    const parser = new DOMParser({ errorHandler: { warning: fail, error: fail, fatalError: fail } });
    const document = parser.parseFromString(body, "text/xml") as unknown as {
      documentElement: XmlElement | null;
      childNodes: { length: number };
    };
    if (document.childNodes.length === 1) root = document.documentElement;
  } catch {
    return null;
  }
  return root && isPlain(root) ? root : null;
}

function isPlain(root: XmlElement): boolean {
  let count = 0;
  const look = (element: XmlElement, depth: number): boolean => {
    count += 1;
    if (depth > MAX_DEPTH || count > MAX_ELEMENTS) return false;
    for (const child of nodes(element)) {
      if (child.nodeType === TEXT) continue;
      if (child.nodeType !== ELEMENT || !look(child, depth + 1)) return false;
    }
    return true;
  };
  return look(root, 0);
}

function nodes(element: XmlElement): XmlElement[] {
  return Array.from({ length: element.childNodes.length }, (_, index) => element.childNodes[index]!);
}

/** Child elements; with a name, those of that name in that namespace. */
export function children(element: XmlElement, namespace?: string, name?: string): XmlElement[] {
  return nodes(element).filter(
    (node) =>
      node.nodeType === ELEMENT &&
      (name === undefined || (node.localName === name && node.namespaceURI === namespace)),
  );
}

/** The one child of that name; null when there is none, or more than one. */
export function onlyChild(element: XmlElement, namespace: string, name: string): XmlElement | null {
  const found = children(element, namespace, name);
  return found.length === 1 ? found[0]! : null;
}

/** All elements below and including `root`. */
export function everyElement(root: XmlElement): XmlElement[] {
  return [root, ...children(root).flatMap(everyElement)];
}

/** The text of an element that holds nothing but text, without the space around it; null for any other. */
export function plainText(element: XmlElement | null): string | null {
  if (!element || children(element).length > 0) return null;
  return (element.textContent ?? "").trim();
}

/** Text for XML, between tags or in quotes. */
export function escapeXml(text: string): string {
  const names: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
  };
  return text.replace(/[&<>"']/g, (character) => names[character]!);
}
