import { describe, expect, it } from "vitest";
import { readCredential, withoutCookieToken, withoutQueryToken } from "#gateway/credentials.ts";
import type { Route } from "#gateway/route.ts";

const agent: Route = { kind: "agent", sandboxId: "s", path: "/x?bulkhead_token=q" };
const preview: Route = { kind: "preview", sandboxId: "s", port: 80, path: "/x?bulkhead_token=q", prefix: "/p/s/80" };

describe("readCredential", () => {
  it("takes a bearer token, an API key in either header, and nothing else from headers", () => {
    expect(readCredential(agent, { authorization: "Bearer t.o.k" })).toMatchObject({ kind: "token", token: "t.o.k" });
    expect(readCredential(agent, { authorization: "bearer hopx_live_k" })).toMatchObject({ kind: "key" });
    expect(readCredential(agent, { "x-api-key": "hopx_live_k" })).toEqual({ kind: "key", key: "hopx_live_k" });
    expect(readCredential(agent, { authorization: "Basic eA==" })).toBeUndefined();
  });

  it("takes query and cookie for previews only", () => {
    expect(readCredential(agent, { cookie: "bulkhead_token=c" })).toBeUndefined();
    expect(readCredential(preview, { cookie: "bulkhead_token=c" })).toMatchObject({ token: "q", from: "query" });
    const clean: Route = { ...preview, path: "/x" };
    expect(readCredential(clean, { cookie: "a=1; bulkhead_token=c" })).toMatchObject({ token: "c", from: "cookie" });
    expect(readCredential(clean, { cookie: "xbulkhead_token=c" })).toBeUndefined();
  });
});

describe("what the user's server sees", () => {
  it.each([
    ["/x?bulkhead_token=t", "/x"],
    ["/x?a=1&bulkhead_token=t&b=%20", "/x?a=1&b=%20"],
    ["/x?bulkhead%5Ftoken=t&a", "/x?a"],
    ["/x?bulkhead_tokens=1", "/x?bulkhead_tokens=1"],
    ["/x", "/x"],
  ])("turns %s into %s", (path, clean) => {
    expect(withoutQueryToken(path)).toBe(clean);
  });

  it("keeps other cookies", () => {
    expect(withoutCookieToken("a=1; bulkhead_token=t; b=2")).toBe("a=1; b=2");
    expect(withoutCookieToken("bulkhead_token=t")).toBeUndefined();
  });
});
