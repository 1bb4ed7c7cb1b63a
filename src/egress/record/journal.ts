import type { EgressRow } from "#core/model.ts";

/** What was recorded, line by line, written before anything else is done with it. No method throws. */
export interface Journal {
  /** @returns the line's number, which grows */
  write(row: EgressRow): number;
  /** Every ended row up to this number is in the store. */
  shipped(through: number): void;
  /** @param settled whether the store has everything, so that nothing is left to recover */
  close(settled: boolean): void;
}
