import { PassThrough, Readable, type Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodersOf } from "#egress/broker/decode-body.ts";

const body = Buffer.from("the plain body");

async function decoded(decoders: Transform[] | null, bytes: Buffer): Promise<string> {
  const out = new PassThrough();
  const [text] = await Promise.all([
    buffer(out),
    pipeline([Readable.from(bytes.length === 0 ? [] : [bytes]), ...(decoders ?? []), out]),
  ]);
  return text.toString();
}

describe("a body in an encoding", () => {
  it.each<[string | undefined, Buffer]>([
    [undefined, body],
    ["identity", body],
    ["gzip", gzipSync(body)],
    ["X-GZIP", gzipSync(body)],
    ["deflate", deflateSync(body)],
    ["br", brotliCompressSync(body)],
    ["gzip, br", brotliCompressSync(gzipSync(body))],
  ])("is made plain: %s", async (encoding, bytes) => {
    expect(await decoded(decodersOf(encoding), bytes)).toBe("the plain body");
  });

  it.each(["gzip", "deflate", "br"])("may be empty: %s", async (encoding) => {
    expect(await decoded(decodersOf(encoding), Buffer.alloc(0))).toBe("");
  });

  it.each(["zstd", "compress", "gzip, secret", "constructor", "gzip,gzip,gzip,gzip"])(
    "cannot be read: %s",
    (encoding) => {
      expect(decodersOf(encoding)).toBeNull();
    },
  );
});
