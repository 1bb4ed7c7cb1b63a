/**
 * Receives output as it comes, beside the copy that the result keeps. Returning a promise holds that stream back until it resolves:
 * the process blocks on its pipe meanwhile, and nothing piles up.
 */
export type OutputListener = (stream: "stdout" | "stderr", chunk: Buffer) => Promise<void> | undefined;

/** One process to run to its end, with everything it starts in its process group. */
export interface RunRequest {
  /** Program: a path, or a name looked up on the PATH of `env`. */
  readonly file: string;
  readonly args: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** The whole environment of the child; nothing is added. */
  readonly env: Readonly<Record<string, string>>;
  /** At this age the process group gets SIGTERM, and SIGKILL shortly after. */
  readonly timeoutMs: number;
  /** Aborting ends the run as a timeout does. */
  readonly signal: AbortSignal;
  /** Absent: the child's stdin is /dev/null. */
  readonly stdin?: string;
  /** Given: the child reads this text from file descriptor 3. */
  readonly code?: string;
  /** Given: the child may write up to so many bytes to file descriptor 4; see {@link RunResult.report}. */
  readonly reportLimit?: number;
  readonly onOutput?: OutputListener;
  /** Called once when the process has started. */
  readonly onStart?: (pid: number) => void;
  /** Bytes of each output stream that the result keeps. @default the runner's */
  readonly outputLimit?: number;
}

/** How a process ended. A failing program is a result, not an error. */
export interface RunResult {
  /** Head and tail, with a marker between them where bytes were dropped. */
  readonly stdout: string;
  /** As stdout, and a last line of ours when we ended the process or the kernel did. */
  readonly stderr: string;
  /** 124 after a timeout, 128 + n after signal n, 127 and 126 when the program is missing or cannot be run. */
  readonly exitCode: number;
  readonly timedOut: boolean;
  readonly durationMs: number;
  /** 0 when nothing was started. */
  readonly pid: number;
  /** What arrived on descriptor 4; undefined when it was more than `reportLimit`, or none was asked for. */
  readonly report: Buffer | undefined;
}

/**
 * @throws BulkheadError DIRECTORY_NOT_FOUND for a bad `cwd`; EXECUTION_FAILED when no process can be started
 * (process limit, memory, descriptors, arguments too long)
 */
export type Runner = (request: RunRequest) => Promise<RunResult>;

/** What shown values add to a run (contract §4.1); each absent when there is none. */
export interface RichOutput {
  /** Base64. */
  readonly png?: string;
  readonly html?: string;
  readonly json?: unknown;
  readonly svg?: string;
  readonly markdown?: string;
  readonly latex?: string;
  readonly result?: string;
  readonly dataframe?: unknown;
}

export type RichResult = RunResult & { readonly rich?: RichOutput };

/**
 * Python with rich output, provided by `src/agent/interpreter/run-python.ts` as `makeRunPython({ run, tools }): RunPython`.
 * `code` is the caller's program; `file` the python to use.
 */
export type RunPython = (request: {
  readonly file: string;
  readonly code: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onOutput?: OutputListener;
  readonly onStart?: (pid: number) => void;
  readonly outputLimit?: number;
}) => Promise<RichResult>;
