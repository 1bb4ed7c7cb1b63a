import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/** A body may be empty, or lack its trailer: HTTP says itself whether it is whole. */
const lenient = { finishFlush: constants.Z_SYNC_FLUSH };
const makers: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(lenient),
  "x-gzip": () => createGunzip(lenient),
  deflate: () => createInflate(lenient),
  br: () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH }),
};
/** More layers are no honest answer. */
const maxLayers = 3;

/**
 * What turns a body of this Content-Encoding into the plain one, in which values can be found, in the order to pipe it through.
 * null: it cannot be read here.
 */
export function decodersOf(contentEncoding: string | undefined): Transform[] | null {
  const layers = (contentEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((layer) => layer.trim())
    .filter((layer) => layer !== "" && layer !== "identity");
  const known = layers.flatMap((layer) => (Object.hasOwn(makers, layer) ? (makers[layer] ?? []) : []));
  if (known.length !== layers.length || layers.length > maxLayers) return null;
  return known.reverse().map((make) => make());
}
