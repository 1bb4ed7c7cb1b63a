import { StringDecoder } from "node:string_decoder";

/** The terminal a person sits at; tests pass their own. */
export interface Terminal {
  readonly present: boolean;
  size(): { readonly cols: number; readonly rows: number };
  onResize(listener: () => void): () => void;
  /**
   * Hands every key on as it is typed until the answered function is called, which also gives the terminal its earlier state back;
   * so does the end of the process, however it comes about, short of SIGKILL. A returned promise holds the keys back.
   */
  raw(onKeys: (text: string) => Promise<void> | undefined, onEnd: () => void): () => void;
}

const most = 1000;

export function makeTerminal(process: Pick<NodeJS.Process, "stdin" | "stdout" | "on" | "off">): Terminal {
  const { stdin, stdout } = process;
  return {
    get present() {
      return stdin.isTTY && stdout.isTTY;
    },
    size: () => ({ cols: Math.min(stdout.columns || 80, most), rows: Math.min(stdout.rows || 24, most) }),
    onResize(listener) {
      stdout.on("resize", listener);
      return () => stdout.off("resize", listener);
    },
    raw(onKeys, onEnd) {
      const decoder = new StringDecoder("utf8");
      let over = false;
      const onData = (chunk: Buffer): void => {
        const wait = onKeys(decoder.write(chunk));
        if (wait === undefined) return;
        stdin.pause();
        void wait.finally(() => {
          if (!over) stdin.resume();
        });
      };
      const restore = (): void => {
        if (over) return;
        over = true;
        process.off("exit", restore);
        stdin.off("data", onData);
        stdin.off("end", onEnd);
        stdin.off("error", onEnd);
        try {
          stdin.setRawMode(false);
        } catch {
          // A terminal that is gone has no state to give back.
        }
        stdin.pause();
      };
      process.on("exit", restore);
      stdin.setRawMode(true);
      stdin.on("data", onData);
      stdin.on("end", onEnd);
      // A terminal that was closed underneath.
      stdin.on("error", onEnd);
      stdin.resume();
      return restore;
    },
  };
}
