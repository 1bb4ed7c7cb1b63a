import { describe, expect, it } from "vitest";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import type { EgressVerdict } from "#egress/ports.ts";

function decide(
  addresses: readonly string[],
  options: { allow?: readonly string[]; own?: readonly string[]; host?: string } = {},
): EgressVerdict | Promise<EgressVerdict> {
  const policy = makePublicOnlyPolicy({ hostAddresses: () => options.own ?? [], allowAddresses: options.allow ?? [] });
  return policy.decide({ sandboxId: "s", projectId: "p", host: options.host ?? "example.com", port: 443, addresses });
}

describe("public-only policy", () => {
  it("allows a name all of whose addresses are public", () => {
    expect(decide(["93.184.216.34", "2606:2800:220:1::1"])).toMatchObject({ allow: true });
  });

  it("refuses a name with one closed address among public ones, and says which", () => {
    expect(decide(["93.184.216.34", "10.0.0.7"])).toEqual({
      allow: false,
      reason: "10.0.0.7 is not a public address (private)",
    });
  });

  it("refuses a name without an address, and an address it cannot read", () => {
    expect(decide([])).toMatchObject({ allow: false });
    expect(decide(["not-an-address"])).toMatchObject({ allow: false });
    expect(decide(["2606:2800::1%eth0"])).toMatchObject({ allow: false });
  });

  it("refuses the host's own public addresses, also mapped", () => {
    const own = ["5.6.7.8", "2a01:4f8::1", "fe80::1%eth0"];
    expect(decide(["5.6.7.8"], { own })).toMatchObject({ allow: false });
    expect(decide(["::ffff:5.6.7.8"], { own })).toMatchObject({ allow: false });
    expect(decide(["2a01:4f8:0:0::1"], { own })).toMatchObject({ allow: false });
    expect(decide(["5.6.7.9"], { own })).toMatchObject({ allow: true });
  });

  it("opens what the operator names: an address, a range, a name", () => {
    expect(decide(["127.0.0.1"], { allow: ["127.0.0.1"] })).toMatchObject({ allow: true });
    expect(decide(["::ffff:127.0.0.1"], { allow: ["127.0.0.1"] })).toMatchObject({ allow: true });
    expect(decide(["10.9.8.7"], { allow: ["10.0.0.0/8"] })).toMatchObject({ allow: true });
    expect(decide(["10.9.8.7", "192.168.0.1"], { allow: ["10.0.0.0/8"] })).toMatchObject({ allow: false });
    expect(decide(["10.9.8.7"], { allow: ["Registry.local"], host: "registry.local" })).toMatchObject({ allow: true });
  });

  it("says which entry of the operator's list it cannot read", () => {
    expect(() => decide([], { allow: ["10.0.0.0/99"] })).toThrow("10.0.0.0/99");
  });
});
