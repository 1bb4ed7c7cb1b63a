import { createHash } from "node:crypto";

/** Compiled programs by what they were compiled from: the least recently used make room. */
export interface CompileCache {
  get(source: string): string | undefined;
  put(source: string, compiled: string): void;
  clear(): void;
  stats(): {
    readonly hits: number;
    readonly misses: number;
    /** Entries. */
    readonly count: number;
    readonly bytes: number;
    readonly maxBytes: number;
  };
}

const maxBytesByDefault = 4 * 1024 * 1024;
const maxEntries = 256;

export function makeCompileCache(maxBytes = maxBytesByDefault): CompileCache {
  const entries = new Map<string, string>();
  let bytes = 0;
  let hits = 0;
  let misses = 0;
  const keyOf = (source: string) => createHash("sha256").update(source).digest("base64");

  function remove(key: string): void {
    const compiled = entries.get(key);
    if (compiled === undefined) return;
    bytes -= Buffer.byteLength(compiled);
    entries.delete(key);
  }

  return {
    get(source) {
      const key = keyOf(source);
      const compiled = entries.get(key);
      if (compiled === undefined) {
        misses += 1;
        return undefined;
      }
      hits += 1;
      // Last in line again.
      entries.delete(key);
      entries.set(key, compiled);
      return compiled;
    },
    put(source, compiled) {
      const size = Buffer.byteLength(compiled);
      if (size > maxBytes / 4) return;
      const key = keyOf(source);
      remove(key);
      entries.set(key, compiled);
      bytes += size;
      for (const oldest of entries.keys()) {
        if (bytes <= maxBytes && entries.size <= maxEntries) break;
        remove(oldest);
      }
    },
    clear() {
      entries.clear();
      bytes = 0;
    },
    stats: () => ({ hits, misses, count: entries.size, bytes, maxBytes }),
  };
}
