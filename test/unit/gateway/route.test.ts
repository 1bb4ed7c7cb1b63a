import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isControlPath, parseRoute } from "#gateway/route.ts";

const id = "1763382095i648uu1oaa";
const domain = "sandbox.example";

describe("parseRoute", () => {
  it.each([
    ["/execute", { kind: "root", path: "/execute" }],
    ["/s/short/execute", { kind: "root", path: "/s/short/execute" }],
    [`/s/${id}x/execute`, { kind: "root", path: `/s/${id}x/execute` }],
    [`/s/${id}`, { kind: "agent", sandboxId: id, path: "/" }],
    [`/s/${id}?a=1`, { kind: "agent", sandboxId: id, path: "/?a=1" }],
    [`/s/${id}/files/read?path=%2Ftmp`, { kind: "agent", sandboxId: id, path: "/files/read?path=%2Ftmp" }],
    [`/s/${id}/p.vms.hopx.dev/health`, { kind: "agent", sandboxId: id, path: "/health" }],
    [`/p/${id}/8000`, { kind: "preview", sandboxId: id, port: 8000, path: "/", prefix: `/p/${id}/8000` }],
    [`/p/${id}/8000/a/b?c`, { kind: "preview", sandboxId: id, port: 8000, path: "/a/b?c", prefix: `/p/${id}/8000` }],
    [`/p/${id}/7777/health`, { kind: "agent", sandboxId: id, path: "/health" }],
  ])("reads %s", (url, route) => {
    expect(parseRoute("127.0.0.1:8081", url, undefined)).toEqual(route);
  });

  it.each([
    [`7777-${id}.${domain}`, "/p.vms.hopx.dev/terminal", { kind: "agent", sandboxId: id, path: "/terminal" }],
    [
      `8080-${id}.${domain}:443`,
      "/p.vms.hopx.dev/",
      { kind: "preview", sandboxId: id, port: 8080, path: "/", prefix: "" },
    ],
    [`8080-${id}.Sandbox.Example`, "/x", { kind: "preview", sandboxId: id, port: 8080, path: "/x", prefix: "" }],
    [`8080-${id}.evil.example`, "/x", { kind: "root", path: "/x" }],
    [`8080-${id}.${domain}.evil.example`, "/x", { kind: "root", path: "/x" }],
  ])("reads host %s with %s", (host, url, route) => {
    expect(parseRoute(host, url, domain)).toEqual(route);
  });

  it("knows no sandbox hosts without a domain", () => {
    expect(parseRoute(`7777-${id}.${domain}`, "/x", undefined)).toEqual({ kind: "root", path: "/x" });
  });

  it.each(["http://other/health", "*", "", `/p/${id}/0/`, `/p/${id}/65536/`])("refuses the target %j", (url) => {
    expect(() => parseRoute("h", url, undefined)).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
  });
});

describe("paths of the control plane", () => {
  const spellings = [
    "/_bulkhead/activate",
    "/_bulkhead",
    "//_bulkhead/lease",
    "/./_bulkhead/lease",
    "/x/../_bulkhead/lease",
    "/x/%2e%2e/_bulkhead/lease",
    "/%5fbulkhead/lease",
    "/%255fbulkhead/lease",
    "/_BULKHEAD/lease",
    "/\\_bulkhead\\lease",
    "/%2f_bulkhead/lease",
    "/_bulk%09head/lease",
    "/_bulkhead%2flease",
    "/_bulkhead?x",
    "/_bulkhead;x/lease",
    "/x/..%5c_bulkhead/lease",
    "/_bulkhead//../lease",
    "/x/..;a=1/_bulkhead/lease",
  ];

  it.each(spellings)("does not pass %s, by any way in", (path) => {
    expect(isControlPath(path)).toBe(true);
    for (const url of [path, `/s/${id}${path}`, `/p/${id}/8000${path}`]) {
      expect(() => parseRoute("h", url, undefined), url).toThrow();
    }
  });

  it("does not pass what a prefix's dot segments lead to", () => {
    expect(() => parseRoute("h", `/s/${id}/../../_bulkhead/lease`, undefined)).toThrow();
  });

  it("passes everything else", () => {
    for (const path of ["/health", "/files/read?path=/_bulkhead/x", "/files/_bulkhead", "/100%", "/a%2Fb", "/_bulk"]) {
      expect(isControlPath(path), path).toBe(false);
    }
  });

  it("sees through any encoding of any characters", () => {
    const encoded = fc.array(fc.nat(2), { minLength: 11, maxLength: 11 }).map((depths) =>
      "/_bulkhead/"
        .split("")
        .map((char, index) => {
          const hex = char.charCodeAt(0).toString(16);
          const depth = index === 0 ? 0 : (depths[index] ?? 0);
          return depth === 0 ? char : `%${"25".repeat(depth - 1)}${hex}`;
        })
        .join(""),
    );
    fc.assert(
      fc.property(encoded, (path) => {
        expect(isControlPath(`${path}x`)).toBe(true);
      }),
    );
  });
});
