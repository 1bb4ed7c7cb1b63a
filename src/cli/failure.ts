/** Exit codes of the command; scripts rely on them. */
export const exitCodes = { ok: 0, other: 1, usage: 2, auth: 3, notFound: 4 } as const;

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

/** Exit code for an HTTP answer that is not a success. */
export function exitCodeOfStatus(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.auth;
  if (status === 404 || status === 410) return exitCodes.notFound;
  if (status === 400) return exitCodes.usage;
  return exitCodes.other;
}
