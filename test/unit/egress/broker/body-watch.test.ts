import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeBodyWatch, PlaceholderInBody, placeholderInBytes } from "#egress/broker/body-watch.ts";
import { cut, cuts, single, through } from "./streams.ts";

const placeholder = "bhsecret_abcdefghijklmnopqrstuvwxyz234567".slice(0, 41);
const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const lookalike = fc
  .array(
    fc.constantFrom("b", "bh", "bhsecret_", "bhsecret_abc", "%62", "%", "%25", "_", "x", placeholder.slice(0, 40)),
    { maxLength: 20 },
  )
  .map((parts) => Buffer.from(parts.join("!")));

/** A placeholder with some characters percent-encoded, some more than once, in either case. */
const writtenSomehow = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.boolean()), { minLength: 41, maxLength: 41 })
  .map((choices) =>
    choices
      .map(([depth, upper], index) => {
        const char = placeholder.charAt(index);
        const hex = char.charCodeAt(0).toString(16);
        return depth === 0 ? char : `%${"25".repeat(depth - 1)}${upper ? hex.toUpperCase() : hex}`;
      })
      .join(""),
  );

describe("the watch over a body", () => {
  it("passes every body without a placeholder byte by byte", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(noise, lookalike), { maxLength: 6 }), cuts, async (parts, at) => {
        const body = Buffer.from(parts.map((part) => part.toString("latin1")).join("!"), "latin1");
        expect((await through(makeBodyWatch(), cut(body, at))).equals(body)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("stops every body with one, however it is cut and percent-encoded, before it is complete", async () => {
    await fc.assert(
      fc.asyncProperty(noise, noise, writtenSomehow, cuts, async (before, after, written, at) => {
        const out: Buffer[] = [];
        const watch = makeBodyWatch();
        watch.on("data", (chunk: Buffer) => out.push(chunk));
        const bytes = Buffer.concat([before, Buffer.from(written), after]);
        await expect(through(watch, cut(bytes, at))).rejects.toMatchObject({ name: "PlaceholderInBody", placeholder });
        expect(Buffer.concat(out).length).toBeLessThan(before.length + written.length);
      }),
      { numRuns: 500 },
    );
  });

  it("sees one that comes in single bytes", async () => {
    const bytes = Buffer.from(`x=${placeholder}`);
    await expect(through(makeBodyWatch(), single(bytes))).rejects.toBeInstanceOf(PlaceholderInBody);
    const encoded = Buffer.from(placeholder.replace("s", "%252573"));
    await expect(through(makeBodyWatch(), single(encoded))).rejects.toBeInstanceOf(PlaceholderInBody);
  });

  it("looks at a body that is here as a whole as well", () => {
    expect(placeholderInBytes(Buffer.from(`a${placeholder.replace("b", "%62")}`))).toBe(placeholder);
    expect(placeholderInBytes(Buffer.from(placeholder.slice(1)))).toBeNull();
  });

  it("holds nothing back", async () => {
    const watch = makeBodyWatch();
    watch.write(Buffer.from("data b"));
    watch.write(Buffer.from("hsecret_abc"));
    expect((watch.read() as Buffer).toString()).toBe("data bhsecret_abc");
  });

  it("is fast", async () => {
    const chunk = randomBytes(64 * 1024);
    const started = performance.now();
    const length = (
      await through(
        makeBodyWatch(),
        Array.from({ length: 1_000 }, () => chunk),
      )
    ).length;
    expect(length / (performance.now() - started) / 1e3).toBeGreaterThan(10); // MB/s on a busy machine; alone it is a hundred times that
  });
});
