import { columns } from "../support/table.ts";
import type { Bill } from "./bill.ts";
import type { Line } from "./line.ts";
import type { PriceTable } from "./price-table.ts";
import type { SandboxPrice } from "./sandbox-price.ts";

export interface ProfileCost {
  readonly profile: string;
  readonly budget: number;
  readonly bill: Bill;
  readonly sandboxes: readonly SandboxPrice[];
  readonly poolUsdPerMonth: number;
}

/** Lines of the same thing in one: forty log groups are one line of forty. */
export function grouped(lines: readonly Line[]): readonly Line[] {
  const groups = new Map<string, Line>();
  for (const line of lines) {
    const before = groups.get(line.what);
    groups.set(line.what, {
      ...line,
      quantity: line.quantity + (before?.quantity ?? 0),
      usdPerMonth: line.usdPerMonth + (before?.usdPerMonth ?? 0),
    });
  }
  return [...groups.values()].sort((left, right) => right.usdPerMonth - left.usdPerMonth);
}

const money = (usd: number): string => usd.toFixed(2);
const number = (value: number): string => (Number.isInteger(value) ? String(value) : String(Number(value.toFixed(4))));

function billTable({ bill, profile, budget }: ProfileCost, table: PriceTable): string {
  const rows = grouped(bill.lines).map(({ what, quantity, unit, usdPerMonth, prices, assumption }) => {
    const marks = [
      ...(assumption === undefined ? [] : ["assumed"]),
      ...(prices.some((name) => table.prices[name]?.evidence === "unconfirmed") ? ["price unconfirmed"] : []),
    ];
    return [what, number(quantity), unit, money(usdPerMonth), marks.join(", ")];
  });
  const total = ["total", "", "", money(bill.usdPerMonth), `budget ${money(budget)}`];
  return `${profile}: idle bill in $ a month, ${table.region}, prices of ${table.date}\n\n${columns([["line", "quantity", "unit", "$/month", ""], ...rows, total], [1, 3])}`;
}

function sandboxTable({ sandboxes, poolUsdPerMonth }: ProfileCost): string {
  const rows = sandboxes.map(({ template, fargate, usdPerHour, usdPerWarmMonth, warm }) => [
    template,
    `${fargate.vcpu} vCPU ${fargate.memoryGb} GB ARM`,
    usdPerHour.toFixed(4),
    money(usdPerWarmMonth),
    String(warm),
    money(warm * usdPerWarmMonth),
  ]);
  const head = ["template", "Fargate size", "$/sandbox-hour", "$/warm instance-month", "warm", "$/month"];
  return `${columns([head, ...rows], [2, 3, 4, 5])}\nwarm pool: $${money(poolUsdPerMonth)} a month on top of the idle bill`;
}

export function printable(cost: ProfileCost, table: PriceTable): string {
  return `${billTable(cost, table)}\n\n${sandboxTable(cost)}`;
}

/** Where the numbers come from: each assumption with its reason, each price that nobody confirmed. */
export function footnotes(costs: readonly ProfileCost[], table: PriceTable): string {
  const lines = costs.flatMap(({ bill }) => bill.lines);
  const used = new Set(lines.flatMap(({ assumption }) => assumption ?? []));
  const assumed = [...used].map((name) => {
    const found = table.assumptions[name];
    return `  ${name}: ${number(found?.value ?? 0)} ${found?.unit ?? ""}. ${found?.reason ?? ""}`;
  });
  const doubtful = [...new Set(lines.flatMap(({ prices }) => prices))]
    .filter((name) => table.prices[name]?.evidence === "unconfirmed")
    .map((name) => `  ${name}: $${table.prices[name]?.usd ?? 0} per ${table.prices[name]?.per ?? ""}`);
  return `Assumed of an idle month:\n${assumed.join("\n")}\n\nPrices not confirmed against a page of AWS:\n${doubtful.join("\n")}`;
}
