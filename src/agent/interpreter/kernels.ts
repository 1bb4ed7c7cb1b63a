import { BulkheadError } from "#contracts/errors.ts";
import type { KernelOptions } from "./kernel.ts";
import { type Cell, type CellResult, type Kernel, makeKernel } from "./kernel.ts";

/** Kernels by the name of their context. */
export interface Kernels {
  run(context: string, cell: Cell): Promise<CellResult>;
  list(): readonly { readonly context: string; readonly kernel: Kernel }[];
  /** @throws BulkheadError PROCESS_NOT_FOUND */
  interrupt(context: string): void;
  /** Ends a kernel and forgets it. @throws BulkheadError PROCESS_NOT_FOUND */
  end(context: string): void;
}

/** Each may hold a whole data set in memory. */
const maxKernels = 16;

export function makeKernels(options: KernelOptions): Kernels {
  const kernels = new Map<string, Kernel>();

  function kernelOf(context: string): Kernel {
    const known = kernels.get(context);
    if (known !== undefined) return known;
    if (kernels.size >= maxKernels) {
      throw new BulkheadError(
        "RESOURCE_LIMIT_ERROR",
        `The limit of ${maxKernels} contexts is reached. End one with DELETE /jupyter/sessions/{context}.`,
        { details: { limit: maxKernels, current: kernels.size } },
      );
    }
    const kernel = makeKernel(options);
    kernels.set(context, kernel);
    return kernel;
  }

  function find(context: string): Kernel {
    const kernel = kernels.get(context);
    if (kernel !== undefined) return kernel;
    throw new BulkheadError("PROCESS_NOT_FOUND", `There is no kernel ${context.slice(0, 64)}.`);
  }

  return {
    async run(context, cell) {
      const kernel = kernelOf(context);
      try {
        return await kernel.run(cell);
      } catch (thrown) {
        // One that never ran anything is no session.
        if (kernel.state === "dead" && kernel.waiting === 0) kernels.delete(context);
        throw thrown;
      }
    },
    list: () => [...kernels].map(([context, kernel]) => ({ context, kernel })),
    interrupt: (context) => find(context).interrupt(),
    end(context) {
      find(context).end();
      kernels.delete(context);
    },
  };
}
