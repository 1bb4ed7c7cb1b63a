import type { Logger } from "#telemetry/logger.ts";

/**
 * A handler whose failures are told by its own log, redacted. Lambda's runtime prints whatever a handler throws, as it is, so nothing of it
 * is passed on.
 */
export function guarded<Args extends readonly unknown[], Answer>(
  logger: Logger,
  handler: (...args: Args) => Promise<Answer>,
): (...args: Args) => Promise<Answer> {
  return async (...args) => {
    try {
      return await handler(...args);
    } catch (error) {
      logger.error("invocation failed", { error });
      const told = new Error("The invocation failed. The line before says why.");
      delete told.stack;
      throw told;
    }
  };
}
