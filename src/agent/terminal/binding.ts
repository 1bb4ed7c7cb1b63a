import { BulkheadError } from "#contracts/errors.ts";

/** What is used of the native part of @lydell/node-pty. Its `fork` is not: it starts a thread per terminal. */
export interface PtyBinding {
  /** Both descriptors are inherited by children (no FD_CLOEXEC). @throws Error when no pseudoterminal can be had */
  open(cols: number, rows: number): { readonly master: number; readonly slave: number; readonly pty: string };
  /** Either side's descriptor. The foreground processes get SIGWINCH. */
  resize(fd: number, cols: number, rows: number): void;
}

function isBinding(value: unknown): value is PtyBinding {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof Reflect.get(value, "open") === "function" &&
    typeof Reflect.get(value, "resize") === "function"
  );
}

function load(file: string): PtyBinding {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, file);
  if (!isBinding(module.exports)) throw new Error(`${file} is not the native part of node-pty`);
  return module.exports;
}

/**
 * Loads it when it is first asked for, so that agents without a terminal pay nothing.
 * @param tools directory of helper programs; the file is `lib/pty.node` in it
 * @returns a function that @throws BulkheadError HOST_UNSUITABLE where this instance has none
 */
export function makePtyBinding(tools: string): () => PtyBinding {
  let loaded: PtyBinding | undefined;
  return () => {
    try {
      loaded ??= load(`${tools}/lib/pty.node`);
      return loaded;
    } catch (cause) {
      throw new BulkheadError(
        "HOST_UNSUITABLE",
        "Terminals are not available here: the platform was set up without them. Use POST /commands/run.",
        { cause },
      );
    }
  };
}
