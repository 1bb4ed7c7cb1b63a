/** What one rule takes. */
const mostPorts = 20;

/** Ports as a rule says them, neighbours as ranges; null for 80 and 443, which need no saying. */
export function portList(ports: readonly number[]): readonly (number | string)[] | null {
  const sorted = [...new Set(ports)].sort((a, b) => a - b);
  if (sorted.length === 2 && sorted[0] === 80 && sorted[1] === 443) return null;
  const runs: [number, number][] = [];
  for (const port of sorted) {
    const run = runs.at(-1);
    if (run?.[1] === port - 1) run[1] = port;
    else runs.push([port, port]);
  }
  // More than fit: those that are nearest to each other become one.
  while (runs.length > mostPorts) {
    const gaps = runs.slice(1).map(([from], index) => from - (runs[index]?.[1] ?? 0));
    const nearest = gaps.indexOf(Math.min(...gaps));
    const [left, right] = [runs[nearest], runs[nearest + 1]];
    if (left === undefined || right === undefined) break;
    runs.splice(nearest, 2, [left[0], right[1]]);
  }
  return runs.map(([from, to]) => (from === to ? from : `${from}-${to}`));
}
