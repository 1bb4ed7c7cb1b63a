import { BulkheadError } from "#contracts/errors.ts";

/** What all watches of an agent may take together. */
export interface Budget {
  /** @throws BulkheadError RESOURCE_LIMIT_ERROR when it would be too much; nothing is taken then */
  take(what: keyof BudgetLimits, count: number): void;
  give(what: keyof BudgetLimits, count: number): void;
}

export interface BudgetLimits {
  readonly sockets: number;
  readonly directories: number;
  /** Names in watched directories. */
  readonly names: number;
}

export const defaultBudget: BudgetLimits = { sockets: 1024, directories: 10_000, names: 200_000 };

export function makeBudget(limits: BudgetLimits = defaultBudget): Budget {
  const taken = { sockets: 0, directories: 0, names: 0 };
  return {
    take(what, count) {
      if (taken[what] + count > limits[what]) {
        throw new BulkheadError(
          "RESOURCE_LIMIT_ERROR",
          `The limit of ${limits[what]} watched ${what} is reached. Watch a smaller directory, or close other watches.`,
          { details: { limit: limits[what], of: what } },
        );
      }
      taken[what] += count;
    },
    give(what, count) {
      taken[what] -= count;
    },
  };
}
