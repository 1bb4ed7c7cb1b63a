/** Exit codes of the command itself; scripts rely on them. A command that runs a program ends with the program's own code. */
export const exitCodes = {
  ok: 0,
  other: 1,
  usage: 2,
  auth: 3,
  notFound: 4,
  timeout: 5,
  network: 6,
  /** A rate, quota or capacity limit: the same may work later. */
  limit: 7,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** An error that is told to the person at the terminal as one line, without a stack. */
export class CliError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.other, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}

const limitCodes: readonly (string | undefined)[] = [
  "CAPACITY_EXHAUSTED",
  "RESOURCE_LIMIT_ERROR",
  "RATE_LIMIT_EXCEEDED",
];

/** Exit code for an HTTP answer that is not a success. `code` is that of its body, if it has one. */
export function exitCodeOfStatus(status: number, code?: string): ExitCode {
  if (status === 429 || limitCodes.includes(code)) return exitCodes.limit;
  if (status === 401 || status === 403) return exitCodes.auth;
  if (status === 404 || status === 410) return exitCodes.notFound;
  if (status === 408 || status === 504) return exitCodes.timeout;
  if (status === 400) return exitCodes.usage;
  return exitCodes.other;
}

/** The text of any thrown value. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
