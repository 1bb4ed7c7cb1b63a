import { describe, expect, it } from "vitest";
import { networkPolicySchema } from "#contracts/control/network.ts";
import { sandboxSecretSchema } from "#contracts/control/secrets.ts";

const rule = (value: unknown) => networkPolicySchema.parse({ mode: "allow-list", rules: [value] }).rules[0];
const refused = (value: unknown) => networkPolicySchema.safeParse({ mode: "allow-list", rules: [value] }).success;

describe("a rule's short form", () => {
  it.each([
    ["pypi.org", { host: "pypi.org" }],
    ["*.Example.com.", { host: "*.example.com" }],
    ["github.com:22", { host: "github.com", ports: [22] }],
    ["a.example:8000-8100", { host: "a.example", ports: ["8000-8100"] }],
    ["203.0.113.0/24", { cidr: "203.0.113.0/24" }],
    ["203.0.113.7", { cidr: "203.0.113.7" }],
    ["203.0.113.0/24:5432", { cidr: "203.0.113.0/24", ports: [5432] }],
    ["2001:db8::/32", { cidr: "2001:db8::/32" }],
    ["[2001:db8::1]:443", { cidr: "2001:db8::1", ports: [443] }],
  ])("%s", (text, expected) => {
    expect(rule(text)).toEqual(expected);
  });

  it.each([
    "",
    "*",
    "a.*.example",
    "http://a.example",
    "a.example/path",
    "127.1",
    "0x7f.1",
    "2130706433",
    "10.0.0.0/33",
    "a.example:0",
    "a.example:70000",
    "a.example:90-80",
    "a b.example",
    "a\u0000.example",
  ])("%j is refused", (text) => {
    expect(refused(text)).toBe(false);
  });
});

describe("a rule", () => {
  it("has either a host or a range, and nothing that is not known", () => {
    expect(rule({ host: "a.example", methods: ["get"], paths: ["/v1"], inspect: true })).toMatchObject({
      methods: ["GET"],
    });
    for (const wrong of [
      {},
      { host: "a.example", cidr: "1.2.3.4" },
      { cidr: "1.2.3.4", inspect: true },
      { host: "a.example", port: 1 },
      { host: "a.example", paths: ["v1"] },
    ]) {
      expect(refused(wrong), JSON.stringify(wrong)).toBe(false);
    }
  });
});

describe("a secret of a sandbox", () => {
  it("is delivered by environment unless it says otherwise", () => {
    expect(sandboxSecretSchema.parse("db#password")).toEqual({ from: "db#password", deliver: "env" });
    const brokered = { from: "v", deliver: "broker", hosts: ["API.example.com"], as: "header X-Key: $" };
    expect(sandboxSecretSchema.parse(brokered)).toMatchObject({ hosts: ["api.example.com"] });
  });

  it.each([
    { from: "v", deliver: "broker" },
    { from: "v", hosts: ["a.example"] },
    { from: "v", deliver: "broker", hosts: ["a.example"], as: "header X: no place" },
    { from: "v", deliver: "broker", hosts: ["a.example"], as: "header X: $ and $" },
    { from: "v", deliver: "broker", hosts: ["a.example"], as: "header X\r\nY: $" },
    { from: "v#", deliver: "env" },
    { from: "v", deliver: "broker", hosts: ["https://a.example"] },
  ])("%j is refused", (secret) => {
    expect(sandboxSecretSchema.safeParse(secret).success).toBe(false);
  });
});
