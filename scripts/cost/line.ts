import type { PriceTable } from "./price-table.ts";
import type { Resource, StackTemplate } from "./template.ts";

/** One line of the idle bill. */
export interface Line {
  readonly stack: string;
  /** Logical id of the resource, or what the line stands for. */
  readonly resource: string;
  readonly type: string;
  /** What is paid for, in words. */
  readonly what: string;
  readonly quantity: number;
  readonly unit: string;
  readonly usdPerMonth: number;
  /** Keys of the prices it rests on. */
  readonly prices: readonly string[];
  /** Key of the assumption it rests on, if any. */
  readonly assumption?: string;
}

/** What a rule answers: the part of a line that it decides. */
export type Priced = Omit<Line, "stack" | "resource" | "type">;

export interface RuleInput {
  readonly resource: Resource;
  readonly template: StackTemplate;
  readonly calculator: Calculator;
}
/** Prices one resource; no line at all means that it costs nothing while idle. @throws Error when it cannot tell */
export type Rule = (input: RuleInput) => readonly Priced[];

/** The arithmetic of a price table. */
export interface Calculator {
  readonly hours: number;
  usd(price: string): number;
  assume(name: string): number;
  /** Something that costs by the hour, all month. */
  hourly(what: string, count: number, unit: string, price: string): Priced;
  /** Something that costs by the month. */
  monthly(what: string, count: number, unit: string, price: string): Priced;
  /** Something billed by use, of which an idle month is taken to use this much. */
  assumed(what: string, assumption: string, price: string): Priced;
}

export function makeCalculator(table: PriceTable): Calculator {
  const usd = (name: string): number => {
    const price = table.prices[name];
    if (price === undefined) throw new Error(`the price table has no price "${name}"`);
    return price.usd;
  };
  const assumption = (name: string) => {
    const found = table.assumptions[name];
    if (found === undefined) throw new Error(`the price table has no assumption "${name}"`);
    return found;
  };
  const hours = table.hoursPerMonth;
  return {
    hours,
    usd,
    assume: (name) => assumption(name).value,
    hourly: (what, quantity, unit, price) => ({
      what,
      quantity,
      unit,
      usdPerMonth: quantity * hours * usd(price),
      prices: [price],
    }),
    monthly: (what, quantity, unit, price) => ({
      what,
      quantity,
      unit,
      usdPerMonth: quantity * usd(price),
      prices: [price],
    }),
    assumed(what, name, price) {
      const { value: quantity, unit } = assumption(name);
      return { what, quantity, unit, usdPerMonth: quantity * usd(price), prices: [price], assumption: name };
    },
  };
}
