import { generateKeyPairSync, sign, verify } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rawSignature } from "#aws/der-signature.ts";

const order = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/** A number as DER writes it: the fewest bytes, with a zero before a first bit that would mean "negative". */
function derInteger(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const padded = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
  return Buffer.concat([Buffer.of(0x02, padded.length), padded]);
}

function der(r: bigint, s: bigint): Buffer {
  const body = Buffer.concat([derInteger(r), derInteger(s)]);
  return Buffer.concat([Buffer.of(0x30, body.length), body]);
}

function raw(r: bigint, s: bigint): string {
  return r.toString(16).padStart(64, "0") + s.toString(16).padStart(64, "0");
}

/** Of every length: most random numbers have 32 bytes, and the mistakes are in the others. */
const part = fc.integer({ min: 1, max: 256 }).chain((bits) => fc.bigInt({ min: 1n, max: (1n << BigInt(bits)) - 1n }));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("rawSignature", () => {
  it("puts numbers of any length into 32 bytes each", () => {
    const holds = fc.property(part, part, (r, s) => hex(rawSignature(der(r, s))) === raw(r, s));
    fc.assert(holds, { numRuns: 2_000 });
  });

  it.each([
    ["one byte each", 1n, 1n],
    ["first bit set", 0x80n, 0xffn],
    ["first bit set in 32 bytes", 1n << 255n, order - 1n],
    ["31 bytes", (1n << 248n) - 1n, 1n << 247n],
    ["a byte of zeros inside", 0x0100n, 0x010000n],
  ])("%s", (_name, r, s) => {
    expect(hex(rawSignature(der(r, s)))).toBe(raw(r, s));
  });

  it("gives what verifies, for signatures of a real key", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    // Enough that leading zeros of r and s both occur (1 in 128).
    for (let index = 0; index < 1_000; index += 1) {
      const message = Buffer.from(`message ${index}`);
      const signature = rawSignature(sign("sha256", message, privateKey));
      expect(signature).toHaveLength(64);
      expect(verify("sha256", message, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature)).toBe(true);
    }
  });

  const good = der(order - 5n, 77n);
  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["another type", Buffer.concat([Buffer.of(0x31), good.subarray(1)])],
    ["bytes after it", Buffer.concat([good, Buffer.of(0)])],
    [
      "bytes after it that the length counts",
      Buffer.concat([Buffer.of(0x30, good.length - 1), good.subarray(2), Buffer.of(0)]),
    ],
    ["a number too large", der(1n << 256n, 1n)],
    ["a negative number", Buffer.from("300602018002017f", "hex")],
    ["a needless zero", Buffer.from("30070202000102017f", "hex")],
    ["an empty number", Buffer.from("3005020002017f", "hex")],
    ["one number", Buffer.from("300302017f", "hex")],
    ["a number longer than the rest", Buffer.from("3006020105027f01", "hex")],
  ])("refuses %s", (_name, bytes) => {
    expect(() => rawSignature(bytes)).toThrow("Not a DER signature");
  });

  it("refuses every shorter piece of a signature", () => {
    for (let length = 0; length < good.length; length += 1)
      expect(() => rawSignature(good.subarray(0, length))).toThrow();
  });

  it("never answers with other than 64 bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          return rawSignature(bytes).byteLength === 64;
        } catch {
          return true;
        }
      }),
    );
  });
});
