import { BulkheadError } from "#contracts/errors.ts";
import type { Marks } from "../exec/marks.ts";
import type { Programs } from "../exec/programs.ts";
import type { Lifecycle } from "../lifecycle.ts";
import { type KernelProcess, startKernelProcess } from "./kernel-process.ts";

export interface KernelStarterOptions {
  readonly programs: Pick<Programs, "find">;
  readonly marks: Marks;
  /** Directory of helper programs; python/kernel.py is below it. */
  readonly tools: string;
  readonly cwd: string;
  /** Environment of every child, below the sandbox's own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly lifecycle: Pick<Lifecycle, "env">;
  readonly uid?: number;
  readonly gid?: number;
}

/** Starts the Python that forks one for each program, with the environment of every child and nothing of the sandbox's own. */
export function forkserverStarter(options: Omit<KernelStarterOptions, "lifecycle">): () => KernelProcess {
  const { programs, tools, environment, ...place } = options;
  return () => {
    const file = programs.find("python");
    if (file === undefined) throw new BulkheadError("UNSUPPORTED_LANGUAGE", "This template has no Python.");
    return startKernelProcess({ ...place, file, script: `${tools}/python/forkserver.py`, env: environment });
  };
}

/** Figures are shown as the cell's output, as in a notebook. */
const inline = { MPLBACKEND: "module://matplotlib_inline.backend_inline" };

/** Starts an interpreter for cells. @throws BulkheadError UNSUPPORTED_LANGUAGE without Python, EXECUTION_FAILED when it cannot be started */
export function kernelStarter(options: KernelStarterOptions): () => KernelProcess {
  const { programs, tools, environment, lifecycle, ...place } = options;
  return () => {
    const file = programs.find("python");
    if (file === undefined) throw new BulkheadError("UNSUPPORTED_LANGUAGE", "This template has no Python.");
    try {
      const env = { ...environment, ...inline, ...lifecycle.env() };
      return startKernelProcess({ ...place, file, script: `${tools}/python/kernel.py`, env });
    } catch (cause) {
      throw new BulkheadError(
        "EXECUTION_FAILED",
        "The kernel could not be started. End some processes and try again.",
        {
          cause,
        },
      );
    }
  };
}
