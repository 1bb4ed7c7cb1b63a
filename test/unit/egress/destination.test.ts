import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAddress } from "#egress/address.ts";
import { parseAuthority, parseDestination } from "#egress/destination.ts";

describe("parseAuthority", () => {
  it.each([
    ["example.com:443", { host: "example.com", port: 443, literal: false }],
    ["EXAMPLE.com.:443", { host: "example.com", port: 443, literal: false }],
    ["1.1.1.1:80", { host: "1.1.1.1", port: 80, literal: true }],
    ["[::1]:80", { host: "::1", port: 80, literal: true }],
    ["_dmarc.example.com:1", { host: "_dmarc.example.com", port: 1, literal: false }],
  ])("reads %s", (text, destination) => {
    expect(parseAuthority(text)).toEqual({ destination });
  });

  it.each([
    "example.com",
    "example.com:",
    "example.com:0",
    "example.com:65536",
    ":443",
    "::1:80",
    "[::1:80",
    "[1.2.3.4]:80",
    "[fe80::1%25eth0]:80",
    "0x7f.1:80",
    "0x7f000001:80",
    "2130706433:80",
    "0177.0.0.1:80",
    "127.1:80",
    "1.2.3.4.5:80",
    "1.2.3.4..:80",
    "evil.0x7f:80",
    "a b.com:80",
    "user@host.com:80",
    "http://example.com:80",
    "ex%61mple.com:80",
    "bücher.example:80",
    "-a.com:80",
    `${"a".repeat(64)}.com:80`,
  ])("refuses %s", (text) => {
    expect(parseAuthority(text)).toHaveProperty("problem");
  });

  it("never calls a name what a resolver would read as an address", () => {
    const number = fc.oneof(
      fc.nat(0xffffffff).map(String),
      fc.nat(0xffffffff).map((n) => `0x${n.toString(16)}`),
      fc.nat(0xffff).map((n) => `0${n.toString(8)}`),
    );
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 4 }), (parts) => {
        const parsed = parseDestination(parts.join("."), 80);
        if (!("destination" in parsed)) return;
        expect(parsed.destination.literal).toBe(true);
        expect(parseAddress(parsed.destination.host)).toBeDefined();
      }),
    );
  });
});
