import { open } from "node:fs/promises";
import type { RunCommand } from "./run-command.ts";

/** Of the ext4 superblock, which starts at 1024. */
const stateOffset = 1024 + 0x3a;
/** Unmounted in order (1), and no error was met (2 would say so). */
const clean = 1;
const repairMs = 60_000;

/** Whether the file system of an image was unmounted in order and met no error, e.g. because the host had no room for its blocks. */
async function isClean(image: string): Promise<boolean> {
  const file = await open(image, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, stateOffset);
    return bytesRead === 2 && buffer.readUInt16LE(0) === clean;
  } finally {
    await file.close();
  }
}

/** Checks and repairs an image that needs it; costs one read when it does not. @throws Error when it cannot be repaired without loss */
export async function repairIfUnclean(run: RunCommand, image: string): Promise<void> {
  if (await isClean(image)) return;
  const { code, stdout, stderr } = await run("e2fsck", ["-p", image], { timeoutMs: repairMs });
  // 1: errors were corrected.
  if (code !== 0 && code !== 1) throw new Error(`e2fsck ${image}: ${stderr.trim() || stdout.trim()}`);
}
