import { Readable, type Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";

/** What comes out of the stream when these chunks go in. */
export async function through(stream: Transform, chunks: readonly Buffer[]): Promise<Buffer> {
  const source = Readable.from(chunks, { objectMode: false });
  source.on("error", (error) => stream.destroy(error));
  return buffer(source.pipe(stream));
}

/** Cuts bytes at random places. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

export function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [
    0,
    ...at.map((part) => Math.floor(part * bytes.length)).sort((one, other) => one - other),
    bytes.length,
  ];
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

export const single = (bytes: Buffer): Buffer[] =>
  Array.from(bytes, (_byte, index) => bytes.subarray(index, index + 1));
