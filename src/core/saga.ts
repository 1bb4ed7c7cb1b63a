import type { Logger } from "#telemetry/logger.ts";

/** Undo of the steps of one operation, newest first. Each has a name, so that a log line says what was and was not undone. */
export interface Undo {
  /** Registers how to take back what was just made. */
  add(name: string, undo: () => Promise<unknown>): void;
  /**
   * Undoes everything, newest first. A failing undo is logged and does not stop the others: the sweeper finds what it leaves.
   * Never throws, so that it cannot hide the error that made it necessary. @returns names of the steps that were not undone
   */
  run(): Promise<readonly string[]>;
}

export function makeUndo(logger: Logger): Undo {
  const steps: { name: string; undo: () => Promise<unknown> }[] = [];
  return {
    add: (name, undo) => void steps.push({ name, undo }),
    async run() {
      const failed: string[] = [];
      for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
        try {
          await step.undo();
        } catch (error) {
          failed.push(step.name);
          logger.error("step not undone", { step: step.name, error });
        }
      }
      return failed;
    },
  };
}
