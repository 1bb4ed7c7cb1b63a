import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Language } from "#contracts/agent/languages.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { CompileCache } from "../compile-cache.ts";
import type { Programs } from "./programs.ts";
import type { RichResult, Runner, RunPython, RunRequest, RunResult } from "./run.ts";

/** A program of a caller in one of the languages. */
export interface CodeRequest
  extends Pick<RunRequest, "cwd" | "env" | "timeoutMs" | "signal" | "onOutput" | "onStart" | "outputLimit"> {
  readonly code: string;
  /** Program of the language, see {@link Programs.find}. */
  readonly file: string;
}

export interface LanguageOptions {
  readonly run: Runner;
  /** Keeps compiled TypeScript. */
  readonly cache: CompileCache;
  readonly programs: Programs;
  readonly runPython: RunPython;
  readonly uid?: number;
  readonly gid?: number;
}

export type RunCode = (request: CodeRequest) => Promise<RichResult>;

/** Bytes of one argument that the kernel takes are 128 Ki. */
const longestArgument = 100_000;

/** A second step of one run: it has the time that the first left, and its result counts the first's time. */
async function then(
  first: RunResult,
  request: Pick<CodeRequest, "timeoutMs">,
  next: (timeoutMs: number) => Promise<RunResult>,
) {
  if (first.exitCode !== 0) return first;
  const second = await next(Math.max(1, request.timeoutMs - first.durationMs));
  return { ...second, durationMs: first.durationMs + second.durationMs };
}

function typescript({ run, programs, cache }: LanguageOptions): RunCode {
  return async ({ code, ...request }) => {
    const known = cache.get(code);
    if (known !== undefined) return run({ ...request, args: ["-"], stdin: known });
    const args = ["--loader=ts", "--platform=node", "--target=node20", "--log-level=error", "--sourcefile=main.ts"];
    // Descriptor 4 and not stdout: compiled code may be longer than the output that is kept.
    const command = 'exec "$@" >&4';
    const compiled = await run({
      ...request,
      file: "/bin/sh",
      args: ["-c", command, "sh", programs.esbuild, ...args],
      stdin: code,
      reportLimit: 64 * 1024 * 1024,
    });
    const program = compiled.report?.toString("utf8") ?? "";
    if (compiled.exitCode === 0) cache.put(code, program);
    return then(compiled, request, (timeoutMs) => run({ ...request, timeoutMs, args: ["-"], stdin: program }));
  };
}

interface GoFiles {
  readonly directory: string;
  readonly source: string;
  /** The user's; the compiler works here. */
  readonly work: string;
}

/** The directory is the agent's, so that user code cannot swap the source while it is compiled. */
async function makeGoFiles(code: string, { uid, gid }: LanguageOptions): Promise<GoFiles> {
  let directory: string | undefined;
  try {
    directory = await mkdtemp("/tmp/bulkhead-go-");
    const files = { directory, source: `${directory}/main.go`, work: `${directory}/work` };
    await chmod(directory, 0o755);
    await mkdir(files.work, { mode: 0o700 });
    if (uid !== undefined && gid !== undefined) await chown(files.work, uid, gid);
    await writeFile(files.source, code, { mode: 0o644 });
    return files;
  } catch (cause) {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
    throw new BulkheadError("EXECUTION_FAILED", "No room to compile in /tmp. Delete files there and run again.", {
      cause,
    });
  }
}

/** Built first and run then, because `go run` hides the program's exit code. */
function go(options: LanguageOptions): RunCode {
  const { run } = options;
  return async ({ code, ...request }) => {
    const { directory, source, work } = await makeGoFiles(code, options);
    try {
      const env = { GOCACHE: "/tmp/.cache/go-build", GOFLAGS: "-buildvcs=false", GOTMPDIR: work, ...request.env };
      const built = await run({ ...request, env, args: ["build", "-o", `${work}/main`, source] });
      return await then(built, request, (timeoutMs) =>
        run({ ...request, env, timeoutMs, file: `${work}/main`, args: [] }),
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
}

/** How each language runs a program. Code goes in by a descriptor, so that no file is left behind. */
export function makeLanguages(options: LanguageOptions): Readonly<Record<Language, RunCode>> {
  const { run, runPython } = options;
  return {
    python: runPython,
    javascript: ({ code, ...request }) => run({ ...request, args: ["-"], stdin: code }),
    typescript: typescript(options),
    bash: ({ code, ...request }) =>
      Buffer.byteLength(code) < longestArgument
        ? run({ ...request, args: ["-c", code] })
        : run({ ...request, args: ["-c", 'eval "$(cat <&3)" 3<&-'], code }),
    go: go(options),
  };
}
