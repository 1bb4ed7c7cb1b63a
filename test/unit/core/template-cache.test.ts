import { describe, expect, it } from "vitest";
import { cacheTemplates } from "#core/template-cache.ts";
import { makeFakes } from "#test/support/fakes.ts";
import { aTemplate } from "#test/support/fixtures.ts";

describe("template cache", () => {
  it("believes what it read for five seconds, and sees at once what is written through it", async () => {
    const { stores, clock } = makeFakes();
    const cached = cacheTemplates(stores.templates, clock);
    expect(await cached.get("base")).toBeUndefined();
    await cached.put(aTemplate());
    expect(await cached.get("base")).toEqual(aTemplate());
    await stores.templates.put(aTemplate({ status: "failed" }));
    expect((await cached.get("base"))?.status).toBe("active");
    await clock.advance(5_000);
    expect((await cached.get("base"))?.status).toBe("failed");
    await cached.put(aTemplate({ status: "building" }));
    expect((await cached.get("base"))?.status).toBe("building");
    expect(await cached.list()).toHaveLength(1);
  });
});
