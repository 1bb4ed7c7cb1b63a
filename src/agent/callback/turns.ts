/** Waits for one of a few places, then works. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** No more than `places` pieces of work go on at once; the others wait in line. */
export function makeTurns(places: number): InTurn {
  const line: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
