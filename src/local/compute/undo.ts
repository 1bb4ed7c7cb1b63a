import type { Logger } from "#telemetry/logger.ts";

/** What was made, with how to remove it. */
export interface Undo {
  push(name: string, step: () => Promise<void>): void;
  /** Runs all steps, last made first. A step that fails is logged by its name and does not keep the others from running. */
  runAll(): Promise<void>;
}

export function makeUndo(logger: Logger): Undo {
  const steps: { name: string; step: () => Promise<void> }[] = [];
  return {
    push(name, step) {
      steps.push({ name, step });
    },
    async runAll() {
      for (let last = steps.pop(); last !== undefined; last = steps.pop()) {
        try {
          await last.step();
        } catch (error) {
          logger.error("cannot undo a step of a launch", { step: last.name, error });
        }
      }
    },
  };
}

/** Starts a step that may go on while others run; its undo waits for its end. */
export function begin(undo: Undo, name: string, step: () => Promise<void>, revert: () => Promise<void>): Promise<void> {
  const done = step();
  done.catch(() => {});
  undo.push(name, async () => {
    await done.catch(() => {});
    await revert();
  });
  return done;
}
