import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closedBecause, inRange, parseAddress, parseRange } from "#egress/address.ts";

function reasonFor(text: string): string | null {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return closedBecause(address);
}

const byte = fc.integer({ min: 0, max: 255 });
const publicV4 = fc
  .tuple(byte, byte, byte, byte)
  .map((parts) => parts.join("."))
  .filter((text) => reasonFor(text) === null);
const closedV4 = fc.oneof(
  fc.tuple(fc.constantFrom("10", "127", "0", "224", "239", "240", "255"), byte, byte, byte).map((p) => p.join(".")),
  fc
    .tuple(fc.constantFrom("192.168", "169.254", "172.16", "172.31", "100.64", "100.127", "198.18"), byte, byte)
    .map((p) => p.join(".")),
);
const hex = (text: string) =>
  text
    .split(".")
    .map((part) => Number(part).toString(16).padStart(2, "0"))
    .join("")
    .replace(/^(.{4})(.{4})$/, "$1:$2");

describe("addresses that sandboxes may not reach", () => {
  it.each([
    "0.0.0.0",
    "10.1.2.3",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "100::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "4000::1",
  ])("%s is closed", (text) => {
    expect(reasonFor(text)).not.toBeNull();
  });

  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
  ])("%s is open", (text) => {
    expect(reasonFor(text)).toBeNull();
  });

  it("judges an IPv4 address alike in every IPv6 dress that leads to it", () => {
    fc.assert(
      fc.property(closedV4, (text) => {
        for (const dressed of [
          text,
          `::ffff:${text}`,
          `::ffff:${hex(text)}`,
          `64:ff9b::${text}`,
          `64:ff9b::${hex(text)}`,
        ]) {
          expect(reasonFor(dressed), dressed).not.toBeNull();
        }
      }),
    );
    fc.assert(
      fc.property(publicV4, (text) => {
        expect(reasonFor(`::ffff:${text}`)).toBeNull();
      }),
    );
  });

  it("opens nothing of 6to4 and Teredo, whatever they embed", () => {
    fc.assert(
      fc.property(publicV4, (text) => {
        expect(reasonFor(`2002:${hex(text)}::1`)).not.toBeNull();
        expect(reasonFor(`2001:0:${hex(text)}::1`)).not.toBeNull();
      }),
    );
  });

  it("opens nothing outside 2000::/3 but the two embeddings", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const address = parseAddress(text);
        if (address === undefined || closedBecause(address) !== null) return;
        const open = ["2000::/3", "::ffff:0:0/96", "64:ff9b::/96"].flatMap((range) => parseRange(range) ?? []);
        expect(open.some((range) => inRange(address, range))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("parseAddress", () => {
  it("gives one value to every spelling of one address", () => {
    const spellings = ["2001:db8:0:0:0:0:0:1", "2001:DB8::1", "2001:0db8::0.0.0.1", "2001:db8::0:1"];
    expect(new Set(spellings.map((text) => parseAddress(text)?.value)).size).toBe(1);
  });

  it.each([
    "",
    "1.2.3",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "1.2.3.4.5",
    "01.2.3.4",
    "fe80::1%eth0",
    "::1]",
    "localhost",
  ])("does not read %j", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it("agrees with the platform on every IPv6 text", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
        expect(parseAddress(text)).toEqual(parseAddress(canonical));
      }),
    );
  });
});

describe("parseRange", () => {
  it.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8/8", "/8", "::/129"])("does not read %j", (text) => {
    expect(parseRange(text)).toBeUndefined();
  });
});
