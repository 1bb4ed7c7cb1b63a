import type { Clock, Timer } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";

export interface CheckpointsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sign: (projectId: string) => Promise<void>;
  /** Longest time that a chain grows without a checkpoint. @default 60_000 */
  readonly everyMs?: number;
  /** Events after which there is one in any case. @default 1000 */
  readonly everyEvents?: number;
}

/** Has the ends of chains signed, soon after they have grown. */
export interface Checkpoints {
  extended(projectId: string, seq: number): void;
  /** Signs what has not been. */
  close(): Promise<void>;
}

export function makeCheckpoints({
  clock,
  logger,
  sign,
  everyMs = 60_000,
  everyEvents = 1000,
}: CheckpointsDeps): Checkpoints {
  /** Projects with unsigned events, and the event at which that began. */
  const unsigned = new Map<string, number>();
  let timer: Timer | null = null;

  async function signOne(projectId: string): Promise<void> {
    unsigned.delete(projectId);
    try {
      await sign(projectId);
    } catch (error) {
      logger.error("audit record not signed", { projectId, error });
    }
  }

  function arm(): void {
    timer ??= clock.after(everyMs, () => {
      timer = null;
      for (const projectId of unsigned.keys()) void signOne(projectId);
    });
  }

  return {
    extended(projectId, seq) {
      const since = unsigned.get(projectId) ?? seq;
      unsigned.set(projectId, since);
      if (seq - since >= everyEvents) void signOne(projectId);
      else arm();
    },
    async close() {
      timer?.cancel();
      for (const projectId of [...unsigned.keys()]) await signOne(projectId);
    },
  };
}
