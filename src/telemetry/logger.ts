/** Facts of one log line. Values pass through redaction before they are written. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Injected everywhere; `noopLogger` in tests that do not read logs. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** `fields.error` may be an Error: name, code, message and stack are written, redacted. */
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to each of its lines. */
  child(fields: LogFields): Logger;
}

export const noopLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => noopLogger,
};
