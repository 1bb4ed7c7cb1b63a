import { describe, expect, it } from "vitest";
import { makeCompileCache } from "#agent/compile-cache.ts";
import { makeRequestMetrics } from "#agent/metrics/request-metrics.ts";

describe("requests", () => {
  it("are counted by route, with errors and durations", () => {
    const metrics = makeRequestMetrics();
    for (let count = 0; count < 99; count += 1) metrics.note("GET /a", 200, 4);
    metrics.note("GET /a", 404, 900);
    metrics.note("POST /b", 500, 1e9);
    const figures = metrics.byRoute();
    expect(figures.get("GET /a")).toMatchObject({ count: 100, errors: 1, totalMs: 99 * 4 + 900, p95Ms: 5 });
    expect(figures.get("POST /b")).toMatchObject({ count: 1, errors: 1, p95Ms: 300_000 });
  });
});

describe("the cache of compiled programs", () => {
  it("answers what was put, and counts", () => {
    const cache = makeCompileCache();
    expect(cache.get("a")).toBeUndefined();
    cache.put("a", "compiled");
    expect(cache.get("a")).toBe("compiled");
    expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, count: 1, bytes: 8 });
    cache.clear();
    expect(cache.get("a")).toBeUndefined();
    expect(cache.stats()).toMatchObject({ count: 0, bytes: 0 });
  });

  it("takes no more than its room, and drops what was used least recently", () => {
    const cache = makeCompileCache(100);
    cache.put("a", "x".repeat(20));
    for (const source of ["b", "c", "d", "e"]) {
      cache.get("a");
      cache.put(source, "x".repeat(20));
    }
    cache.put("f", "x".repeat(20));
    expect(cache.get("b")).toBeUndefined();
    expect(cache.get("a")).toBeDefined();
    cache.put("huge", "x".repeat(50));
    expect(cache.get("huge")).toBeUndefined();
    expect(cache.stats().bytes).toBeLessThanOrEqual(100);
    cache.put("a", "y");
    expect(cache.get("a")).toBe("y");
  });
});
