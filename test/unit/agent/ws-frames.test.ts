import { describe, expect, it } from "vitest";
import * as ws from "ws";
import { textFrame } from "#agent/ws/frames.ts";

/** Parts of `ws` that its types leave out. */
interface Internals {
  readonly PerMessageDeflate: new (options: object) => { accept(offers: readonly object[]): unknown };
  readonly Receiver: new (options: object) => NodeJS.WritableStream;
}
const { PerMessageDeflate, Receiver } = ws as unknown as Internals;

/** What a client that negotiated `params` makes of the frames. */
function receive(frames: readonly Buffer[], params: object | undefined): Promise<readonly string[]> {
  const deflate = params === undefined ? undefined : new PerMessageDeflate({ isServer: false });
  deflate?.accept([params ?? {}]);
  const extensions = deflate === undefined ? {} : { "permessage-deflate": deflate };
  const receiver = new Receiver({ isServer: false, extensions });
  const texts: string[] = [];
  return new Promise((resolve, reject) => {
    receiver.on("error", reject);
    receiver.on("message", (data: Buffer) => {
      texts.push(data.toString());
      if (texts.length === frames.length) resolve(texts);
    });
    receiver.write(Buffer.concat(frames));
  });
}

const sizes = [0, 1, 119, 120, 125, 126, 65_529, 65_530, 65_535, 65_536, 131_070, 131_071, 200_000];
const texts = [...sizes.map((size) => "x".repeat(size)), `${"é€".repeat(30_000)}!`, "\u{1F600}".repeat(20_000)];

describe("frames", () => {
  it.each([
    ["without compression", undefined],
    ["stored for a client that keeps its window", {}],
    ["stored for a client that does not", { server_no_context_takeover: [true] }],
    ["stored for a client with the smallest window", { server_max_window_bits: ["9"] }],
  ])("%s arrive whole at any size, many in one piece", async (_, params) => {
    const frames = texts.map((text) => textFrame(text, params !== undefined));
    expect(await receive(frames, params)).toEqual(texts);
  });

  it("cost six bytes more when stored", () => {
    expect(textFrame("x".repeat(100), true).length - textFrame("x".repeat(100), false).length).toBe(6);
  });
});
