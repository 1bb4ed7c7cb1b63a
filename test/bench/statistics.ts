/** Milliseconds (or any unit) of repeated measurements. */
export interface Summary {
  readonly n: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  return { n: sorted.length, median: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN };
}

/** Runs `work` `n` times, one after the other, and answers with what each took in milliseconds. */
export async function timed(n: number, work: (index: number) => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let index = 0; index < n; index += 1) {
    const began = performance.now();
    await work(index);
    samples.push(performance.now() - began);
  }
  return samples;
}
