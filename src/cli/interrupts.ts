import type { EventEmitter } from "node:events";
import { constants } from "node:os";
import { CliError } from "./failure.ts";

/** The person, or the system, wants the command to end. */
export class Interrupted extends CliError {
  constructor(exitCode: number) {
    super("Interrupted.", exitCode);
    this.name = "Interrupted";
  }
}

/** Lets a command clean up behind itself before it ends. */
export interface Interrupts {
  /**
   * Runs `work` with a signal that is aborted on Ctrl-C, SIGTERM, SIGHUP and when nobody reads the output any more.
   * @throws Interrupted after `work` has ended, when it was interrupted, however it ended
   */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** Whatever tells of signals, or of errors. */
type Source = Pick<EventEmitter, "on" | "off">;
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A terminal and the program that started us may both hand the same Ctrl-C on; a terminal that closes tells it in several ways. */
const sameWishMs = 1000;

/** @param onSecond called when the person insists while the work cleans up behind itself */
export function makeInterrupts(
  source: Source,
  output: Source,
  onSecond: (exitCode: number) => void,
  now: () => number,
): Interrupts {
  return {
    async during(work) {
      const controller = new AbortController();
      let abortedAt = 0;
      const interrupt = (exitCode: number): void => {
        if (controller.signal.aborted) {
          if (now() - abortedAt >= sameWishMs) onSecond(exitCode);
          return;
        }
        abortedAt = now();
        controller.abort(new Interrupted(exitCode));
      };
      const handlers = signals.map((name) => ({ name, handle: () => interrupt(128 + constants.signals[name]) }));
      const onOutputError = (): void => {
        if (!controller.signal.aborted) interrupt(128 + constants.signals.SIGPIPE);
      };
      for (const { name, handle } of handlers) source.on(name, handle);
      output.on("error", onOutputError);
      try {
        const answer = await work(controller.signal).catch((error: unknown) => {
          controller.signal.throwIfAborted();
          throw error;
        });
        controller.signal.throwIfAborted();
        return answer;
      } finally {
        for (const { name, handle } of handlers) source.off(name, handle);
        output.off("error", onOutputError);
      }
    },
  };
}
