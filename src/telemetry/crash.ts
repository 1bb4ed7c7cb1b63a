import type { Logger } from "./logger.ts";

export interface CrashOptions {
  /** What a promise does that fails unobserved. @default "crash" */
  readonly rejections?: "log" | "crash";
  /** @default process.exit */
  readonly exit?: (code: number) => void;
  /** Where the handlers are put. @default process */
  readonly target?: { prependListener(event: CrashEvent, listener: (error: unknown) => void): unknown };
}

type CrashEvent = "uncaughtException" | "unhandledRejection";

/** A process is one service: the first logger is told. */
const reported = new WeakSet<object>();

/**
 * A process that dies of an error nobody caught writes one line of its own log, redacted, and ends with 1. Without this Node prints the
 * error as it is, with whatever its message quotes. The logger must write before it returns.
 */
export function reportCrash(logger: Logger, options: CrashOptions = {}): void {
  const { target = process, exit = (code: number) => process.exit(code), rejections = "crash" } = options;
  if (reported.has(target)) return;
  reported.add(target);
  const crash = (message: string) => (error: unknown) => {
    try {
      logger.error(message, { error });
    } finally {
      exit(1);
    }
  };
  const log = (error: unknown) => logger.error("unhandled rejection", { error });
  // First, so that no other listener writes what it got.
  target.prependListener("uncaughtException", crash("uncaught exception"));
  target.prependListener("unhandledRejection", rejections === "log" ? log : crash("unhandled rejection"));
}
