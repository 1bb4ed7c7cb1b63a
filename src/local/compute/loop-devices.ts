import { readdirSync, readFileSync } from "node:fs";

const deadlineMs = 5_000;

/** The file behind a loop device; null when there is none. */
function backingFileOf(device: string): string | null {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, "utf8").trimEnd();
  } catch {
    return null;
  }
}

/**
 * Waits until no loop device holds an image. An unmount returns earlier: namespaces of processes that just died, or of a sandbox that is
 * being set up, hold on to the mount for some milliseconds, and its file system writes to the image until the last one lets go.
 * @param image without links in it
 * @throws Error when it is still held after some seconds
 */
export async function awaitDetached(image: string): Promise<void> {
  const devices = readdirSync("/sys/block").filter((name) => name.startsWith("loop") && backingFileOf(name) === image);
  const giveUpAt = performance.now() + deadlineMs;
  for (let pause = 1; devices.some((device) => backingFileOf(device) === image); pause = Math.min(pause * 2, 50)) {
    if (performance.now() > giveUpAt) throw new Error(`${image} is still mounted somewhere`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
