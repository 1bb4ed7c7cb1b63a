import { writeFileSync } from "node:fs";
import { pids, readProc } from "../proc.ts";

/**
 * A number per run that every process of the run carries, even one that left its process group and session, and that the agent
 * can read across uids: the process's oom_score_adj. All marks are high, so that user code dies before the agent when memory is short.
 * It is inherited over fork and exec. Code that means to can lower it back and so outlive its run, but not its sandbox.
 */
export interface Marks {
  /** @returns the mark for one run, 0 when none is free or the kernel refuses marks */
  take(): number;
  release(mark: number): void;
  /** Runs `spawn` so that what it starts is born with the mark. */
  during<T>(mark: number, spawn: () => T): T;
  /** Living processes with the mark. */
  carriers(mark: number): readonly number[];
}

/** The way to the kernel; tests pass their own. */
export interface MarkFiles {
  readOwn(): number | undefined;
  /** @throws when the kernel refuses */
  writeOwn(mark: number): void;
  all(): readonly { readonly pid: number; readonly mark: number }[];
}

const first = 500;
const last = 999;
const file = "oom_score_adj";

export const procMarkFiles: MarkFiles = {
  readOwn() {
    const text = readProc("self", file);
    return text === undefined ? undefined : Number(text);
  },
  writeOwn: (mark) => writeFileSync(`/proc/self/${file}`, String(mark)),
  all: () =>
    pids().flatMap((pid) => {
      const mark = readProc(pid, file);
      // A zombie or a process that is going reads as empty or not at all.
      return mark === undefined || mark === "" ? [] : [{ pid, mark: Number(mark) }];
    }),
};

export function makeMarks(files: MarkFiles = procMarkFiles): Marks {
  const own = files.readOwn();
  let works = own !== undefined;
  const running = new Set<number>();
  /** Marks that processes left behind by earlier runs still carry; refreshed at each lap. */
  let leftBehind = new Set<number>();
  let next = first;

  function advance(): number {
    const mark = next;
    next = next === last ? first : next + 1;
    if (mark === first) leftBehind = new Set(files.all().map((each) => each.mark));
    return mark;
  }

  return {
    take() {
      if (!works) return 0;
      for (let tries = first; tries <= last; tries += 1) {
        const mark = advance();
        if (running.has(mark) || leftBehind.has(mark)) continue;
        running.add(mark);
        return mark;
      }
      return 0;
    },
    release: (mark) => void running.delete(mark),
    during(mark, spawn) {
      if (mark === 0 || own === undefined) return spawn();
      try {
        files.writeOwn(mark);
      } catch {
        works = false;
        return spawn();
      }
      try {
        return spawn();
      } finally {
        files.writeOwn(own);
      }
    },
    carriers: (mark) =>
      mark === 0
        ? []
        : files.all().flatMap((each) => (each.mark === mark && each.pid !== process.pid ? [each.pid] : [])),
  };
}
