import type { Hide } from "#contracts/hide-in.ts";
import type { LogFields, Logger } from "./logger.ts";
import { redact, redactText } from "./redact.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface JsonLoggerOptions {
  readonly level: LogLevel;
  /** Takes one line without its line end. */
  readonly write: (line: string) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Takes the values of delivered secrets out. @default - none are known */
  readonly hide?: Hide | undefined;
}

/** One JSON object a line: time, level, message, fields. Redaction happens here, so no caller can forget it. */
export function makeJsonLogger(options: JsonLoggerOptions, bound: LogFields = {}): Logger {
  const threshold = logLevels.indexOf(options.level);
  const log = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (logLevels.indexOf(level) < threshold) return;
    const facts = redact({ ...bound, ...fields }, options.hide);
    const line = { time: new Date(options.now()).toISOString(), level, message: redactText(message, options.hide) };
    options.write(JSON.stringify(Object.assign(line, facts)));
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (fields) => makeJsonLogger(options, { ...bound, ...fields }),
  };
}
