import { type BackgroundEntry, isBusy, roomOf } from "./entry.ts";

/** Those that ended are readable until so many others have ended after them, or those took so many bytes. */
const maxEnded = 200;
const maxEndedBytes = 16 * 1024 * 1024;

/** What is to be forgotten: what ended first, however long it ran, and nothing that is still to be reported. */
export function overdue(entries: Iterable<BackgroundEntry>): readonly BackgroundEntry[] {
  const ended = [...entries].filter((entry) => !isBusy(entry));
  ended.sort((one, other) => (one.endedAt ?? 0) - (other.endedAt ?? 0));
  let count = ended.length;
  let bytes = ended.reduce((sum, entry) => sum + roomOf(entry), 0);
  return ended.filter((entry) => {
    if (count <= maxEnded && bytes <= maxEndedBytes) return false;
    count -= 1;
    bytes -= roomOf(entry);
    return true;
  });
}
