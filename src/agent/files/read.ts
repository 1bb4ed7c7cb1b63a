import { closeSync, constants, fstatSync, openSync, read, readSync, type Stats } from "node:fs";
import type { ServerResponse } from "node:http";
import { posix } from "node:path";
import { promisify } from "node:util";
import type { FileContentResponse } from "#contracts/agent/files.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { type Confinement, closing, itself } from "./confinement.ts";
import { invalidPath, tooLarge } from "./errors.ts";

const readAsync = promisify(read);

/** Bytes that one JSON answer may carry; clients hold it several times over. */
const maxReadBytes = 32 * 2 ** 20;

const smallBytes = 256 * 1024;
const chunkBytes = 2 ** 20;

interface OpenFile {
  readonly fd: number;
  readonly path: string;
  readonly stat: Stats;
}

/** Opens a regular file; what stands there is known before it is opened. The caller closes it. */
function openFile(confinement: Confinement, path: string): OpenFile {
  const held = confinement.hold(path);
  return closing(held, () => {
    const kind = fstatSync(held.fd);
    if (!kind.isFile()) throw invalidPath(held.path, kind.isDirectory() ? "is a directory" : "is not a regular file");
    const fd = openSync(itself(held), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    return { fd, path: held.path, stat: fstatSync(fd) };
  });
}

async function readAll(file: OpenFile): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(file.stat.size);
  let filled = 0;
  while (filled < buffer.length) {
    const bytes =
      buffer.length <= smallBytes
        ? readSync(file.fd, buffer, filled, buffer.length - filled, filled)
        : (await readAsync(file.fd, buffer, filled, Math.min(chunkBytes, buffer.length - filled), filled)).bytesRead;
    if (bytes === 0) break;
    filled += bytes;
  }
  return buffer.subarray(0, filled);
}

function asText(bytes: Buffer): { content: string; encoding?: "base64" } {
  try {
    return { content: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { content: bytes.toString("base64"), encoding: "base64" };
  }
}

/** Text as text; bytes that are not UTF-8 as base64, marked by `encoding`. */
export async function readFile(confinement: Confinement, path: string): Promise<FileContentResponse> {
  const file = openFile(confinement, path);
  try {
    if (file.stat.size > maxReadBytes) {
      const limit = `${file.path} has ${file.stat.size} bytes; /files/read answers at most ${maxReadBytes}.`;
      throw tooLarge(file.path, `${limit} Use /files/download, which streams.`);
    }
    const bytes = await readAll(file);
    return { ...asText(bytes), path: file.path, size: bytes.length };
  } finally {
    closeSync(file.fd);
  }
}

/** Two buffers take turns: one is read into while the other is on its way out. Returns early when the caller has hung up. */
async function stream(file: OpenFile, res: ServerResponse): Promise<void> {
  const buffers = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)];
  const sent: Promise<void>[] = [];
  const closed = new Promise<void>((resolve) => res.once("close", resolve));
  for (let position = 0, turn = 0; position < file.stat.size; turn = 1 - turn) {
    await sent[turn];
    if (res.destroyed) return;
    const buffer = buffers[turn] ?? Buffer.alloc(0);
    const want = Math.min(chunkBytes, file.stat.size - position);
    const { bytesRead } = await readAsync(file.fd, buffer, 0, want, position);
    // Shorter than promised in content-length: only a cut connection tells the caller.
    if (bytesRead === 0) throw new BulkheadError("FILE_OPERATION_FAILED", `${file.path} shrank while it was read`);
    position += bytesRead;
    const written = new Promise<void>((resolve) => {
      res.write(buffer.subarray(0, bytesRead), () => resolve());
    });
    sent[turn] = Promise.race([written, closed]);
  }
  await Promise.all(sent);
}

function headers(file: OpenFile): Record<string, string | number> {
  const name = encodeURIComponent(posix.basename(file.path)).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16)}`,
  );
  return {
    "content-type": "application/octet-stream",
    "content-length": file.stat.size,
    "content-disposition": `attachment; filename*=UTF-8''${name}`,
    "x-content-type-options": "nosniff",
    "last-modified": file.stat.mtime.toUTCString(),
  };
}

/** Answers with the bytes themselves. */
export async function downloadFile(confinement: Confinement, path: string, res: ServerResponse): Promise<void> {
  const file = openFile(confinement, path);
  try {
    const small = file.stat.size <= smallBytes ? await readAll(file) : undefined;
    res.writeHead(200, { ...headers(file), ...(small && { "content-length": small.length }) });
    if (small === undefined) await stream(file, res);
    res.end(small);
  } catch (error) {
    if (res.headersSent) res.destroy();
    throw error;
  } finally {
    closeSync(file.fd);
  }
}
