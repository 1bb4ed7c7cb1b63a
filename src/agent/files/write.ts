import { write, writeSync } from "node:fs";
import { promisify } from "node:util";
import type { FileWriteRequest } from "#contracts/agent/files.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { type Confinement, closingLater, type Owner } from "./confinement.ts";
import { fileError } from "./errors.ts";
import { makePendingFile, writableTarget } from "./pending-file.ts";

const writeAsync = promisify(write);
const smallBytes = 256 * 1024;

/** Permission bits of an octal text; set-uid and its kin are left to the user's own chmod. */
export function modeBits(mode: string): number {
  return Number.parseInt(mode, 8) & 0o777;
}

function bytesOf(request: FileWriteRequest): Buffer {
  const { content, encoding, path } = request;
  if (typeof content !== "string") return Buffer.from(content.data);
  if (encoding !== "base64") return Buffer.from(content, "utf8");
  const bare = content.replace(/\s+/g, "").replace(/=+$/, "");
  const bytes = Buffer.from(bare, "base64");
  if (/[^A-Za-z0-9+/_-]/.test(bare) || bytes.length !== Math.floor((bare.length * 3) / 4)) {
    throw new BulkheadError("INVALID_REQUEST", 'content is not base64 although encoding is "base64"', {
      details: { path },
    });
  }
  return bytes;
}

async function writeBytes(fd: number, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = bytes.length - done;
    done +=
      bytes.length <= smallBytes
        ? writeSync(fd, bytes, done, length)
        : (await writeAsync(fd, bytes, done, length)).bytesWritten;
  }
}

/** Whole or not at all; parents are made. */
export async function writeFile(
  confinement: Confinement,
  request: FileWriteRequest,
  owner: Owner | undefined,
): Promise<{ readonly path: string; readonly size: number }> {
  const bytes = bytesOf(request);
  const target = writableTarget(confinement, request.path, owner);
  return closingLater(target.directory, async () => {
    try {
      const pending = makePendingFile(target.directory);
      try {
        await writeBytes(pending.fd, bytes);
      } catch (error) {
        pending.discard();
        throw error;
      }
      await pending.publish(target, { mode: modeBits(request.mode), owner, overwrite: request.overwrite });
    } catch (error) {
      throw fileError(error, target.path);
    }
    return { path: target.path, size: bytes.length };
  });
}
