/** Objects in memory with resource versions and watches. */
import { EventEmitter } from "node:events";
import type { Kind, Loose } from "./kinds.ts";

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: Loose;
}

export class Store {
  readonly #objects = new Map<string, Loose>();
  readonly #events = new EventEmitter().setMaxListeners(0);
  #version = 100;

  get version(): string {
    return String(this.#version);
  }

  get(kind: Kind, namespace: string, name: string): Loose | null {
    return this.#objects.get(key(kind, namespace, name)) ?? null;
  }

  /** Objects in name order; namespace "" means all. */
  list(kind: Kind, namespace: string, fits: (object: Loose) => boolean): Loose[] {
    const prefix = key(kind, namespace, "");
    return [...this.#objects.entries()]
      .filter(([id, object]) => id.startsWith(prefix) && fits(object))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  /** Creates or replaces; a dry run only shows what would be stored. */
  put(kind: Kind, object: Loose, dry: boolean): Loose {
    const known = this.get(kind, object.metadata.namespace ?? "", object.metadata.name);
    const stored = {
      ...object,
      metadata: {
        ...object.metadata,
        uid: known?.metadata.uid ?? crypto.randomUUID(),
        creationTimestamp: known?.metadata.creationTimestamp ?? "2026-01-01T00:00:00Z",
        resourceVersion: String(this.#version + 1),
      },
    };
    if (kind.kind === "Secret" && stored.stringData) {
      const encoded = Object.entries(stored.stringData).map(([k, v]) => [
        k,
        Buffer.from(String(v)).toString("base64"),
      ]);
      stored.data = { ...stored.data, ...Object.fromEntries(encoded) };
      delete stored.stringData;
    }
    if (dry) return stored;
    this.#version += 1;
    this.#objects.set(key(kind, object.metadata.namespace ?? "", object.metadata.name), stored);
    this.#events.emit(kind.resource, { type: known ? "MODIFIED" : "ADDED", object: stored });
    return stored;
  }

  remove(kind: Kind, object: Loose): void {
    this.#version += 1;
    this.#objects.delete(key(kind, object.metadata.namespace ?? "", object.metadata.name));
    this.#events.emit(kind.resource, { type: "DELETED", object });
  }

  watch(kind: Kind, listener: (event: WatchEvent) => void): () => void {
    this.#events.on(kind.resource, listener);
    return () => this.#events.off(kind.resource, listener);
  }

  /** Logs that are followed. */
  followers = 0;

  /** Watches that are open. */
  get watchers(): number {
    return this.#events.eventNames().reduce((sum, name) => sum + this.#events.listenerCount(name), 0);
  }
}

function key(kind: Kind, namespace: string, name: string): string {
  const place = namespace === "" && (name === "" || !kind.namespaced) ? "" : `${namespace}/`;
  return `${kind.group}/${kind.resource}/${kind.namespaced ? place : ""}${name}`;
}
