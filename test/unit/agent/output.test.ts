import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeCappedOutput } from "#agent/exec/output.ts";

function fed(limit: number, chunks: readonly Uint8Array[]): string {
  const output = makeCappedOutput(limit);
  for (const chunk of chunks) output.push(chunk);
  return output.text();
}

describe("capped output", () => {
  it("keeps what fits as it is, however it was cut", () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(chunks, (parts) => {
        const all = Buffer.concat(parts);
        expect(fed(Math.max(1, all.length), parts)).toBe(all.toString("utf8"));
      }),
    );
  });

  it("keeps head and tail and says how much is missing", () => {
    const text = fc.string({ minLength: 11, maxLength: 400, unit: "grapheme-ascii" });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 50 }), (all, size) => {
        const parts = [...Array(Math.ceil(all.length / size)).keys()].map((i) =>
          Buffer.from(all.slice(i * size, (i + 1) * size)),
        );
        const marker = `\n[output truncated: ${all.length - 10} bytes dropped]\n`;
        expect(fed(10, parts)).toBe(all.slice(0, 5) + marker + all.slice(-5));
      }),
    );
  });

  it("does not cut characters in two", () => {
    const text = `abcd€${"x".repeat(20)}€yz`;
    expect(fed(10, [Buffer.from(text)])).toBe("abcd\n[output truncated: 23 bytes dropped]\n€yz");
  });
});
