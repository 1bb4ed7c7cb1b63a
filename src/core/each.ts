/** Runs `act` on every item, at most `width` at a time. `act` handles its own failures: a throw ends the whole run. */
export async function each<T>(items: Iterable<T>, width: number, act: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  let next = 0;
  const worker = async () => {
    while (next < queue.length) {
      const [item] = queue.slice(next, next + 1);
      next += 1;
      if (item !== undefined) await act(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, queue.length) }, worker));
}
