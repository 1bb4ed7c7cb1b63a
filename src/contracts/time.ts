/** Epoch milliseconds as RFC 3339 UTC with exactly three fractional digits (contract rule 8: other counts crash Python ≤ 3.10). */
export function toRfc3339(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
