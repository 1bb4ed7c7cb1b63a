import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formsOf } from "#egress/broker/value-forms.ts";
import { makeValueHider, ValueInAnswer } from "#egress/broker/value-hider.ts";
import { cut, cuts, single, through } from "./streams.ts";

const placeholder = `bhsecret_${"a".repeat(32)}`;
const other = `bhsecret_${"b".repeat(32)}`;
const hiderOf = (...values: string[]) =>
  makeValueHider(values.map((value, index) => ({ value, placeholder: index === 0 ? placeholder : other })));
const secret = fc
  .string({ minLength: 6, maxLength: 40, unit: fc.constantFrom(...Array.from("abAB01-_/+= &\"'<ü\\☃")) })
  .filter((text) => text.trim().length >= 6);

/** A hostile answer: pieces of values, values in every form, and noise. */
const answerOf = (values: readonly string[]) => {
  const forms = values.flatMap((value) => formsOf(value));
  const form = fc.constantFrom(...forms, "x");
  const piece = fc.tuple(form, fc.nat(60)).map(([text, length]) => text.slice(0, length));
  const noise = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  return fc
    .array(fc.oneof(form, piece, noise), { maxLength: 12 })
    .map((parts) => Buffer.from(parts.join(""), "latin1"));
};
const scene = fc
  .array(secret, { minLength: 1, maxLength: 3 })
  .chain((values) => fc.tuple(fc.constant(values), answerOf(values), cuts));

describe("what comes back", () => {
  it("holds no used value in any form, however it is cut, and is the same for every cut", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ([values, answer, at]) => {
        const hider = hiderOf(...values);
        const out = (await through(hider.body(), cut(answer, at))).toString("latin1");
        const kept = out.split(placeholder).flatMap((text) => text.split(other));
        for (const value of values)
          for (const form of formsOf(value)) for (const text of kept) expect(text).not.toContain(form);
        expect(out).toBe(hider.text(answer.toString("latin1")));
        expect((await through(hider.body(), single(answer))).toString("latin1")).toBe(out);
      }),
      { numRuns: 500 },
    );
  });

  it("is passed as it is where no value stands in it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), cuts, async (bytes, at) => {
        const body = Buffer.from(bytes);
        expect((await through(hiderOf("s3cr3t-v4lu3-x").body(), cut(body, at))).equals(body)).toBe(true);
      }),
    );
  });

  it.each<[string, string, string]>([
    ["as it is", "tök/en=1", JSON.stringify({ echo: "tök/en=1" })],
    ["percent-encoded", "to k/en=1", "q=to%20k%2Fen%3D1"],
    ["percent-encoded in lower case", "to k/en=1", "q=to%20k%2fen%3d1"],
    ["as a form", "to k/en=1", new URLSearchParams({ q: "to k/en=1" }).toString()],
    ["in JSON", 'to"k\\en', JSON.stringify('to"k\\en')],
    ["in PHP's JSON", "a/b/c/d/e", String.raw`"a\/b\/c\/d\/e"`],
    ["in Go's JSON", "<token>&<x>", String.raw`"\u003ctoken\u003e\u0026\u003cx\u003e"`],
    ["in Python's JSON", "schlüssel", String.raw`"schl\u00fcssel"`],
  ])("has its value hidden %s", async (_name, value, answer) => {
    const out = (await through(hiderOf(value).body(), single(Buffer.from(answer)))).toString();
    expect(out).toContain(placeholder);
    expect(out).not.toBe(answer);
  });

  it("has the value hidden in the base64 of Basic authentication, whatever the user", () => {
    for (const user of ["", "u", "us", "use", "user"]) {
      const echo = Buffer.from(`${user}:correct-horse-battery`).toString("base64");
      const out = hiderOf("correct-horse-battery").text(`{"authorization": "Basic ${echo}"}`);
      expect(out).toContain(placeholder);
      const left = Buffer.from(out.slice(out.indexOf("Basic ") + 6).split(placeholder)[0] ?? "", "base64").toString();
      expect(left).not.toContain("cor");
    }
  });

  it("keeps short values: they stand in too many texts by chance", () => {
    expect(hiderOf("12345").text("12345")).toBe("12345");
    expect(hiderOf().text("12345")).toBe("12345");
  });

  it("gives the longer of two values that begin alike its own placeholder", async () => {
    const out = await through(hiderOf("abcdef", "abcdefgh").body(), single(Buffer.from("abcdef abcdefgh")));
    expect(out.toString()).toBe(`${placeholder} ${other}`);
  });

  it("holds back only what could begin a value", () => {
    const out = hiderOf("s3cr3t-v4lu3").body();
    out.write(Buffer.from("data: 1\n\n"));
    expect((out.read() as Buffer).toString()).toBe("data: 1\n\n");
    out.write(Buffer.from("data: s3c"));
    expect((out.read() as Buffer).toString()).toBe("data: ");
    out.write(Buffer.from("!"));
    expect((out.read() as Buffer).toString()).toBe("s3c!");
  });

  it("fails where its length cannot change, before the value has passed", async () => {
    await fc.assert(
      fc.asyncProperty(scene, async ([values, answer, at]) => {
        const hider = hiderOf(...values);
        const plain = hider.text(answer.toString("latin1")) === answer.toString("latin1");
        const out: Buffer[] = [];
        const guard = hider.guard();
        guard.on("data", (chunk: Buffer) => out.push(chunk));
        const passed = through(guard, cut(answer, at));
        if (plain) expect((await passed).equals(answer)).toBe(true);
        else await expect(passed).rejects.toBeInstanceOf(ValueInAnswer);
        const seen = Buffer.concat(out).toString("latin1");
        expect(hider.text(seen)).toBe(seen);
        expect(answer.toString("latin1").startsWith(seen)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it("is fast", async () => {
    const chunk = randomBytes(64 * 1024);
    const started = performance.now();
    const body = hiderOf("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "another/secret+value==").body();
    const length = (
      await through(
        body,
        Array.from({ length: 1_000 }, () => chunk),
      )
    ).length;
    expect(length / (performance.now() - started) / 1e3).toBeGreaterThan(10); // MB/s on a busy machine; alone it is a hundred times that
  });
});
