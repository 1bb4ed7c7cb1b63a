/** Tells the person at the terminal what takes time. Written to stderr, so stdout stays for results. */
export interface Progress {
  /** Something finished. */
  done(text: string): void;
  /** Something slow began or moved on. */
  step(text: string): void;
  /** Something is not as it should be, and what to do. */
  warn(text: string): void;
  /** Plain lines without a mark. */
  plain(text: string): void;
}

export function makeProgress(write: (text: string) => void): Progress {
  return {
    done: (text) => write(`  ✓ ${text}\n`),
    step: (text) => write(`  … ${text}\n`),
    warn: (text) => write(`  ! ${text}\n`),
    plain: (text) => write(`${text}\n`),
  };
}
