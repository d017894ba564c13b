/** What is read of an object of the API before it is shown: what it is, and nothing more. */
import { eachMember, skipSpace, stringAt } from "../../wire/http/json.ts";

/** What is looked up in an object before it is shown; empty where it says nothing. */
export interface Facts {
  kind: string;
  apiVersion: string;
  type: string;
  name: string;
  namespace: string;
  labels: Record<string, string>;
}

/** Of an object that was not looked at. */
export const noFacts: Facts = { kind: "", apiVersion: "", type: "", name: "", namespace: "", labels: {} };

const encoder = new TextEncoder();
const metadataShown: readonly string[] = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
];

/** Reads kind, name, namespace, labels and type of an object; null when it is malformed or says them twice. */
export function objectFacts(bytes: Uint8Array): Facts | null {
  const facts: Facts = { kind: "", apiVersion: "", type: "", name: "", namespace: "", labels: {} };
  const at = skipSpace(bytes, 0);
  if (bytes[at] !== 0x7b) return null;
  const seen = new Set<string>();
  const once = (key: string) => !seen.has(key) && seen.add(key);
  const end = eachMember(bytes, at, (key, start, stop) => {
    if (key === "kind" || key === "apiVersion" || key === "type") {
      if (!once(key)) return false;
      // A custom resource may have any `type`: only a text is one.
      facts[key] = bytes[start] === 0x22 ? (stringAt(bytes, start, stop) ?? "") : "";
    }
    if (key !== "metadata") return true;
    if (!once(key)) return false;
    if (bytes[start] !== 0x7b) return bytes[start] === 0x6e;
    return (
      eachMember(bytes, start, (name, s, e) => {
        if (name === "name" || name === "namespace") {
          if (!once(`metadata.${name}`)) return false;
          facts[name] = bytes[s] === 0x22 ? (stringAt(bytes, s, e) ?? "") : "";
        }
        if (name !== "labels") return true;
        if (!once("metadata.labels")) return false;
        if (bytes[s] !== 0x7b) return bytes[s] === 0x6e;
        return (
          eachMember(bytes, s, (label, ls, le) => {
            const value = bytes[ls] === 0x22 ? stringAt(bytes, ls, le) : null;
            if (value === null || Object.hasOwn(facts.labels, label)) return false;
            Object.defineProperty(facts.labels, label, { value, enumerable: true });
            return true;
          }) >= 0
        );
      }) >= 0
    );
  });
  return end < 0 ? null : facts;
}

/** Type and identity of an object as an object of its own; null when it is malformed. */
export function objectIdentity(bytes: Uint8Array): Uint8Array | null {
  const out: string[] = [];
  const decoder = new TextDecoder();
  const end = eachMember(bytes, skipSpace(bytes, 0), (key, start, stop) => {
    if (key === "kind" || key === "apiVersion")
      out.push(`"${key}":${decoder.decode(bytes.subarray(start, stop))}`);
    if (key !== "metadata" || bytes[start] !== 0x7b) return true;
    const kept: string[] = [];
    const inner = eachMember(bytes, start, (name, s, e) => {
      if (metadataShown.includes(name)) kept.push(`"${name}":${decoder.decode(bytes.subarray(s, e))}`);
      // Tells the client that a watch is in step; its key is fixed and its value "true".
      if (name === "annotations" && bytes[s] === 0x7b) {
        eachMember(bytes, s, (annotation, vs, ve) => {
          if (annotation === "k8s.io/initial-events-end" && stringAt(bytes, vs, ve) === "true") {
            kept.push('"annotations":{"k8s.io/initial-events-end":"true"}');
          }
          return true;
        });
      }
      return true;
    });
    out.push(`"metadata":{${kept.join(",")}}`);
    return inner >= 0;
  });
  if (bytes[skipSpace(bytes, 0)] !== 0x7b || end < 0) {
    return null;
  }
  return encoder.encode(`{${out.join(",")}}`);
}
