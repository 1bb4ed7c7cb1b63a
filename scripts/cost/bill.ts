import { type Calculator, type Line, makeCalculator, type Rule } from "./line.ts";
import type { PriceTable } from "./price-table.ts";
import { computeRules } from "./rules/compute.ts";
import { eventRules } from "./rules/events.ts";
import { networkRules } from "./rules/network.ts";
import { observabilityRules } from "./rules/observability.ts";
import { storageRules } from "./rules/storage.ts";
import type { StackTemplate } from "./template.ts";

const rules: Readonly<Record<string, Rule>> = {
  ...networkRules,
  ...computeRules,
  ...storageRules,
  ...observabilityRules,
  ...eventRules,
};

export interface Bill {
  readonly lines: readonly Line[];
  readonly usdPerMonth: number;
}

export interface Extra {
  /** Custom metrics that the functions write and that stand in no template. */
  readonly customMetrics: number;
}

/**
 * The idle bill of an app, line by line.
 * @throws Error that names every resource whose type the table does not know, or whose rule cannot tell its price
 */
export function makeBill(templates: readonly StackTemplate[], table: PriceTable, extra: Extra): Bill {
  const calculator = makeCalculator(table);
  const problems: string[] = [];
  const lines = templates.flatMap((template) =>
    Object.entries(template.resources).flatMap(([resource, declared]): readonly Line[] => {
      const known = table.resources[declared.Type];
      const where = `${template.stack}/${resource}`;
      if (known === undefined) {
        problems.push(`${where}: ${declared.Type} is not in the price table`);
        return [];
      }
      if ("free" in known) return [];
      const rule = rules[known.rule];
      if (rule === undefined) throw new Error(`the price table names a rule "${known.rule}" that does not exist`);
      try {
        const priced = rule({ resource: declared, template, calculator });
        return priced.map((line) => ({ stack: template.stack, resource, type: declared.Type, ...line }));
      } catch (thrown) {
        problems.push(`${where} (${declared.Type}): ${thrown instanceof Error ? thrown.message : String(thrown)}`);
        return [];
      }
    }),
  );
  if (problems.length > 0) throw new Error(`${problems.length} resources have no price:\n  ${problems.join("\n  ")}`);
  const all = [...lines, ...unwritten(calculator, lines, extra)].filter(({ usdPerMonth }) => usdPerMonth !== 0);
  return { lines: all, usdPerMonth: all.reduce((sum, { usdPerMonth }) => sum + usdPerMonth, 0) };
}

/** What stands in no template, and what is taken off: the functions' own metrics, KMS requests, CloudWatch's free tier. */
function unwritten(calculator: Calculator, lines: readonly Line[], { customMetrics }: Extra): readonly Line[] {
  const rest = { stack: "-", resource: "-", type: "-" };
  const count = (price: string): number =>
    lines.filter(({ prices }) => prices[0] === price).reduce((sum, { quantity }) => sum + quantity, 0);
  const off = (what: string, used: number, free: string, unit: string, price: string): Line => {
    const quantity = -Math.min(used, calculator.assume(free));
    return { ...rest, ...calculator.monthly(what, quantity, unit, price), assumption: free };
  };
  const keys = count("kms.key");
  // A metric costs only in the hours in which it is written.
  const idleMetrics = Math.min(customMetrics, calculator.assume("metrics.idle"));
  const requests =
    keys === 0 ? [] : [{ ...rest, ...calculator.assumed("KMS requests", "kms.requests", "kms.requests") }];
  return [
    ...requests,
    {
      ...rest,
      ...calculator.monthly("metrics the functions write while idle", idleMetrics, "metrics", "metric"),
      assumption: "metrics.idle",
    },
    off("free: alarms", count("alarm"), "free.alarms", "metrics", "alarm"),
    off("free: custom metrics", count("metric") + idleMetrics, "free.metrics", "metrics", "metric"),
    off("free: dashboards", count("dashboard"), "free.dashboards", "dashboards", "dashboard"),
  ];
}

/** Says in one line that a bill is over its budget and what it is made of; undefined when it is not. */
export function overBudget(name: string, { lines, usdPerMonth }: Bill, budget: number): string | undefined {
  if (usdPerMonth <= budget) return undefined;
  const dearest = [...lines].sort((left, right) => right.usdPerMonth - left.usdPerMonth).slice(0, 4);
  const list = dearest
    .map(({ what, quantity, unit, usdPerMonth: usd }) => `${what} × ${quantity} ${unit} $${usd.toFixed(2)}`)
    .join(", ");
  return `${name}: $${usdPerMonth.toFixed(2)} a month is over its budget of $${budget}. Dearest lines: ${list}.`;
}
