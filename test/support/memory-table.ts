import { BulkheadError } from "#contracts/errors.ts";
import type { Clock, Written } from "#core/ports.ts";

/** A map with the promises of the real table: copies in and out, conditional writes, expiry checked by the reader. */
export interface MemoryTable<T> {
  /** `lost` when the key exists, also when its item has expired: nothing but TTL removes it. */
  insert(key: string, item: T): Written;
  replace(key: string, item: T & { readonly version: number }): Written;
  put(key: string, item: T): void;
  get(key: string): T | undefined;
  remove(key: string): void;
  all(): T[];
}

export function makeMemoryTable<T extends object>(clock: Clock): MemoryTable<T> {
  const items = new Map<string, T>();

  function expired(item: T): boolean {
    const at = "expiresAtSeconds" in item ? item.expiresAtSeconds : null;
    return typeof at === "number" && at * 1000 <= clock.now();
  }

  return {
    insert(key, item) {
      if (items.has(key)) return "lost";
      items.set(key, structuredClone(item));
      return "written";
    },
    replace(key, item) {
      const stored = items.get(key);
      if (stored === undefined || !("version" in stored) || stored.version !== item.version - 1) return "lost";
      items.set(key, structuredClone(item));
      return "written";
    },
    put: (key, item) => void items.set(key, structuredClone(item)),
    get(key) {
      const item = items.get(key);
      return item === undefined || expired(item) ? undefined : structuredClone(item);
    },
    remove: (key) => void items.delete(key),
    all: () => [...items.values()].filter((item) => !expired(item)).map((item) => structuredClone(item)),
  };
}

/** Text that sorts like creation. */
export function orderOf(record: { readonly createdAt: number; readonly id: string }): string {
  return `${String(record.createdAt).padStart(14, "0")}#${record.id}`;
}

export function cursorOf(record: { readonly createdAt: number; readonly id: string }): string {
  return Buffer.from(`memory:${orderOf(record)}`).toString("base64url");
}

/** The order a cursor stands for. @throws BulkheadError INVALID_REQUEST when it is not one of ours */
export function positionIn(cursor: string): string {
  const text = Buffer.from(cursor, "base64url").toString("utf8");
  if (text.startsWith("memory:")) return text.slice("memory:".length);
  throw new BulkheadError("INVALID_REQUEST", "Unknown cursor. Start the list again without one.");
}
