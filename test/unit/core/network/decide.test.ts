import { describe, expect, it } from "vitest";
import { decide, type NetworkTarget, wantsInspection } from "#core/network/decide.ts";
import type { NetworkRule } from "#core/network/policy.ts";

const to = (host: string, port = 443, addresses = ["93.184.216.34"]): NetworkTarget => ({ host, port, addresses });
const listed = (rules: NetworkRule[], target: NetworkTarget, seen: Parameters<typeof decide>[2] = "opaque") =>
  decide({ mode: "allow-list", rules }, target, seen).allow;
const but = (rules: NetworkRule[], target: NetworkTarget, seen: Parameters<typeof decide>[2] = "opaque") =>
  decide({ mode: "allow-all-but", rules }, target, seen).allow;

describe("an allow-list", () => {
  it("lets out names and names below a wildcard, and not the name itself", () => {
    const rules = [{ host: "pypi.org" }, { host: "*.example.com" }];
    expect(listed(rules, to("pypi.org"))).toBe(true);
    expect(listed(rules, to("a.b.example.com"))).toBe(true);
    for (const host of ["example.com", "xexample.com", "pypi.org.evil.test", "sub.pypi.org"]) {
      expect(listed(rules, to(host)), host).toBe(false);
    }
  });

  it("means the web where it names no ports", () => {
    expect([80, 443, 22, 8443].map((port) => listed([{ host: "a.test" }], to("a.test", port)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(listed([{ host: "a.test", ports: [22, "8000-8100"] }], to("a.test", 8050))).toBe(true);
    expect(listed([{ host: "a.test", ports: [22, "8000-8100"] }], to("a.test", 443))).toBe(false);
  });

  it("lets out by address only when all addresses of a name are in a range", () => {
    const rules = [{ cidr: "203.0.113.0/24" }, { cidr: "2001:db8::/32" }];
    expect(listed(rules, to("a.test", 443, ["203.0.113.9"]))).toBe(true);
    expect(listed(rules, to("a.test", 443, ["203.0.113.9", "8.8.8.8"]))).toBe(false);
    expect(listed(rules, to("2001:db8::1", 443, ["2001:db8::1"]))).toBe(true);
    expect(listed(rules, to("a.test", 443, []))).toBe(false);
  });

  it("judges requests by method and whole segments of the path, and refuses what it cannot see", () => {
    const rules: NetworkRule[] = [{ host: "a.test", methods: ["GET"], paths: ["/v1", "/files/"] }];
    const request = (method: string, path: string) => listed(rules, to("a.test"), { method, path });
    expect(request("GET", "/v1")).toBe(true);
    expect(request("GET", "/v1/x")).toBe(true);
    expect(request("GET", "/files/x")).toBe(true);
    for (const [method, path] of [
      ["POST", "/v1"],
      ["GET", "/v1x"],
      ["GET", "/"],
      ["get", "/v1"],
    ] as const) {
      expect(request(method, path), `${method} ${path}`).toBe(false);
    }
    expect(listed(rules, to("a.test"), "connection")).toBe(true);
    expect(listed(rules, to("a.test"), "opaque")).toBe(false);
  });
});

describe("all but", () => {
  it("refuses names on every port, and names of which one address is in a range", () => {
    expect(but([{ host: "bad.test" }], to("bad.test", 22))).toBe(false);
    expect(but([{ host: "bad.test", ports: [22] }], to("bad.test", 443))).toBe(true);
    expect(but([{ cidr: "203.0.113.0/24" }], to("a.test", 443, ["8.8.8.8", "203.0.113.9"]))).toBe(false);
    expect(but([], to("a.test"))).toBe(true);
  });

  it("takes what it cannot see for the worst", () => {
    const rules: NetworkRule[] = [{ host: "a.test", methods: ["DELETE"] }];
    expect(but(rules, to("a.test"), "connection")).toBe(true);
    expect(but(rules, to("a.test"), "opaque")).toBe(false);
    expect(but(rules, to("a.test"), { method: "GET", path: "/" })).toBe(true);
    expect(but(rules, to("a.test"), { method: "DELETE", path: "/" })).toBe(false);
  });
});

it("lets out nothing, or everything, where the mode says so", () => {
  expect(decide({ mode: "deny-all", rules: [{ host: "a.test" }] }, to("a.test"), "opaque").allow).toBe(false);
  expect(decide({ mode: "observe", rules: [{ host: "a.test", methods: ["GET"] }] }, to("b.test"), "opaque").allow).toBe(
    true,
  );
});

it("ends TLS only where a rule says so", () => {
  expect(wantsInspection([{ host: "a.test", inspect: true }, { host: "b.test" }], "a.test", 443, "allow")).toBe(true);
  expect(wantsInspection([{ host: "a.test", inspect: true }, { host: "b.test" }], "b.test", 443, "allow")).toBe(false);
});
