import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeFrameWatch } from "#gateway/frame-watch.ts";

function frame([opcode, length, masked]: readonly [number, number, boolean]): Buffer {
  const size =
    length < 126
      ? Buffer.from([length])
      : length < 65_536
        ? Buffer.from([126, length >> 8, length & 255])
        : big(length);
  size[0] = (size[0] ?? 0) | (masked ? 0x80 : 0);
  return Buffer.concat([Buffer.from([0x80 | opcode]), size, Buffer.alloc(length + (masked ? 4 : 0), 1)]);
}

function big(length: number): Buffer {
  const out = Buffer.alloc(9);
  out[0] = 127;
  out.writeBigUInt64BE(BigInt(length), 1);
  return out;
}

const control = fc.tuple(fc.constantFrom(8, 9, 10), fc.nat(125), fc.boolean());
const data = fc.tuple(
  fc.constantFrom(0, 1, 2),
  fc.oneof(fc.nat(200), fc.constantFrom(125, 126, 65_535, 65_536)),
  fc.boolean(),
);

describe("frame watch", () => {
  it("sees data frames however the stream is cut, and control frames never", () => {
    fc.assert(
      fc.property(
        fc.array(control, { maxLength: 5 }),
        fc.option(data),
        fc.integer({ min: 1, max: 50 }),
        (pings, one, step) => {
          const watch = makeFrameWatch();
          const frames = [...pings, ...(one === null ? [] : [one]), ...pings].map((parts) => frame(parts));
          const stream = Buffer.concat(frames);
          for (let at = 0; at < stream.length; at += step) watch.see(stream.subarray(at, at + step));
          expect(watch.takeSawData()).toBe(one !== null);
          expect(watch.takeSawData()).toBe(false);
          watch.see(frame([9, 3, true]));
          expect(watch.takeSawData()).toBe(false);
        },
      ),
    );
  });

  it("counts the rest of a long frame as traffic", () => {
    const watch = makeFrameWatch();
    const stream = frame([2, 1000, true]);
    watch.see(stream.subarray(0, 500));
    expect(watch.takeSawData()).toBe(true);
    watch.see(stream.subarray(500, 600));
    expect(watch.takeSawData()).toBe(true);
  });
});
