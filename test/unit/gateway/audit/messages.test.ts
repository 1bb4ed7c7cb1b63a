import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeMessageReader } from "#gateway/audit/messages.ts";

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  readonly compressed?: boolean;
}

/** As a client sends it: masked. */
function bytesOf({ opcode, final, payload, compressed = false }: Frame): Buffer {
  const mask = Buffer.from([1, 250, 3, 77]);
  const first = (final ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode;
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : payload.length < 65_536
        ? Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 255])
        : Buffer.from([
            0x80 | 127,
            0,
            0,
            0,
            0,
            0,
            payload.length >> 16,
            (payload.length >> 8) & 255,
            payload.length & 255,
          ]);
  const masked = Buffer.from(payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return Buffer.concat([Buffer.from([first]), length, mask, masked]);
}

function read(bytes: Buffer, cuts: readonly number[]): string[] {
  const seen: string[] = [];
  const reader = makeMessageReader((text) => seen.push(text.toString()));
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  for (const [index, from] of [0, ...at].entries()) reader.see(bytes.subarray(from, [...at, bytes.length][index]));
  return seen;
}

describe("what a client sends on a WebSocket", () => {
  it("is read however it was cut into frames and chunks, with other frames between", () => {
    const texts = fc.array(fc.string({ maxLength: 300, unit: "grapheme" }), { maxLength: 4 });
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 1, max: 100 }),
        (sent, cuts, size) => {
          const frames = sent.flatMap((text) => {
            const payload = Buffer.from(text);
            const parts = Array.from({ length: Math.max(1, Math.ceil(payload.length / size)) }, (_, index) =>
              payload.subarray(index * size, (index + 1) * size),
            );
            return parts.flatMap((part, index) => [
              { opcode: index === 0 ? 1 : 0, final: index === parts.length - 1, payload: part },
              { opcode: 9, final: true, payload: Buffer.from("ping") },
            ]);
          });
          expect(read(Buffer.concat(frames.map(bytesOf)), cuts)).toEqual(sent);
        },
      ),
    );
  });

  it("is read when it is compressed, and left out when it cannot be", () => {
    const payload = deflateRawSync(Buffer.from("print(1)".repeat(100)), { finishFlush: 2 }).subarray(0, -4);
    const good = bytesOf({ opcode: 1, final: true, payload, compressed: true });
    const bad = bytesOf({ opcode: 1, final: true, payload: Buffer.from("no deflate"), compressed: true });
    expect(read(Buffer.concat([good, bad, good]), [])).toEqual(["print(1)".repeat(100), "print(1)".repeat(100)]);
  });

  it("is not kept when it is too long, nor when it is binary", () => {
    const long = bytesOf({ opcode: 1, final: true, payload: Buffer.alloc(2 * 1024 * 1024, 97) });
    const binary = bytesOf({ opcode: 2, final: true, payload: Buffer.from("x") });
    const next = bytesOf({ opcode: 1, final: true, payload: Buffer.from("next") });
    expect(read(Buffer.concat([long, binary, next]), [])).toEqual(["next"]);
  });
});
