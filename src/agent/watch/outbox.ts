/** Sends in order, and keeps a bounded number for a caller who reads slowly. */
export interface Outbox {
  push(frame: object): void;
}

/** Frames that wait for a slow caller. */
const defaultLimit = 10_000;

/**
 * @param send as AgentSocket.send
 * @param dropped makes the frame that tells how many found no room; it follows the last that did
 */
export function makeOutbox(
  send: (frame: object) => Promise<void> | undefined,
  dropped: (count: number) => object,
  limit = defaultLimit,
): Outbox {
  const waiting: object[] = [];
  let lost = 0;
  /** While the caller is behind. */
  let held = false;

  /** @returns false when the caller cannot take another one now */
  function sendOne(frame: object): boolean {
    const wait = send(frame);
    if (wait === undefined) return true;
    held = true;
    void wait.finally(goOn);
    return false;
  }

  function goOn(): void {
    held = false;
    const sent = waiting.findIndex((frame) => !sendOne(frame));
    waiting.splice(0, sent < 0 ? waiting.length : sent + 1);
    if (sent >= 0 || lost === 0) return;
    const count = lost;
    lost = 0;
    sendOne(dropped(count));
  }

  return {
    push(frame) {
      if (!held) sendOne(frame);
      // Once one is lost, what comes after it is lost as well, so that the news of it stands in its place.
      else if (lost > 0 || waiting.length >= limit) lost += 1;
      else waiting.push(frame);
    },
  };
}
