import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import { until } from "#test/e2e/support/until.ts";
import { attemptsOf, judged } from "../attempt.ts";

const piece = 1 << 22;

/** Files of the platform, disks of sandboxes among them, that hold a text anywhere: in free blocks of a disk as well. */
function holding(directory: string, text: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => holds(path, text));
}

function holds(path: string, text: string): boolean {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    // Gone between listing and opening.
    return false;
  }
  const buffer = Buffer.alloc(piece);
  try {
    // The text is written over and over, so one that lies across two pieces is no loss.
    for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
      if (buffer.subarray(0, count).includes(text)) return true;
    }
    return false;
  } finally {
    closeSync(file);
  }
}

export const attempts = attemptsOf("neighbours", [
  {
    tried: "deleted files of an earlier sandbox in the free space of its disk",
    must: "the disk is gone with its sandbox, the next one's holds nothing of it",
    async run({ create, shell, platform }) {
      const text = `left-${crypto.randomUUID()}`;
      const disks = join(platform.home, "disks");
      const first = await create();
      await shell(first, `yes ${text} | head -c 20000000 > /workspace/left; sync; rm /workspace/left; sync`);
      const before = holding(disks, text).length;
      await first.kill();
      await until("end of its disk", () => holding(disks, text).length === 0);
      const second = await create();
      await shell(second, "true");
      const after = holding(disks, text).length;
      await second.kill();
      return judged(before > 0 && after === 0, `${before} disk held the deleted text, ${after} after its end`);
    },
  },
]);
