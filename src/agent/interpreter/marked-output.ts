/** One stream of a kernel, cut into cells by marks that it writes between them. */
export interface MarkedOutput {
  push(chunk: Buffer): void;
  /** Resolves when `mark` has come. What comes before it goes to `listener`; what came before this call, too. */
  until(mark: string, listener: (chunk: Buffer) => void): Promise<void>;
  /** Hands on what is held, and gives up waiting: nothing more comes. */
  end(): void;
}

interface Cell {
  readonly mark: Buffer;
  readonly listener: (chunk: Buffer) => void;
  readonly done: () => void;
}

/** Kept of what comes while no cell runs: threads and processes of earlier ones go on writing. */
const betweenLimit = 64 * 1024;

/** How many bytes at the end of `bytes` may be the beginning of `mark`. */
function beginning(bytes: Buffer, mark: Buffer): number {
  for (let length = Math.min(bytes.length, mark.length - 1); length > 0; length -= 1) {
    if (bytes.subarray(bytes.length - length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}

export function makeMarkedOutput(): MarkedOutput {
  let held: Buffer = Buffer.alloc(0);
  let cell: Cell | undefined;

  function hand(bytes: Buffer): void {
    if (bytes.length > 0) cell?.listener(bytes);
  }

  function look(): void {
    if (cell === undefined) {
      held = held.subarray(Math.max(0, held.length - betweenLimit));
      return;
    }
    const at = held.indexOf(cell.mark);
    if (at < 0) {
      const keep = beginning(held, cell.mark);
      hand(held.subarray(0, held.length - keep));
      held = held.subarray(held.length - keep);
      return;
    }
    hand(held.subarray(0, at));
    held = held.subarray(at + cell.mark.length);
    const { done } = cell;
    cell = undefined;
    done();
  }

  return {
    push(chunk) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      look();
    },
    until: (mark, listener) =>
      new Promise((done) => {
        cell = { mark: Buffer.from(mark, "ascii"), listener, done };
        look();
      }),
    end() {
      hand(held);
      held = Buffer.alloc(0);
      cell?.done();
      cell = undefined;
    },
  };
}
