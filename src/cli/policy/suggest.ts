import type { EgressRowView } from "#contracts/control/egress.ts";
import { networkRuleSchema } from "#contracts/control/network.ts";
import { rulesOf, type SuggestedRule } from "./rules.ts";
import { type Use, union } from "./uses.ts";
import { mergeSiblings } from "./wildcards.ts";

/** A policy as one writes it down. */
export interface SuggestedPolicy {
  readonly mode: "allow-list";
  readonly rules: readonly SuggestedRule[];
}

export interface SuggestOptions {
  /** One `*.parent` for three and more names of one parent. */
  readonly wildcards: boolean;
  /** Also what was refused. */
  readonly includeDenied: boolean;
}

export interface Suggestion {
  readonly policy: SuggestedPolicy;
  /** What a person should know before using it. */
  readonly notes: readonly string[];
}

const mostRules = 200;

/** The smallest allow-list that lets through what the rows tell of. */
export function suggestPolicy(rows: readonly EgressRowView[], options: SuggestOptions): Suggestion {
  const notes: string[] = [];
  const named = rows.filter(({ host }) => host !== "");
  const wanted = named.filter(({ decision }) => decision === "allow" || options.includeDenied);
  const refused = named.filter(({ decision }) => decision === "deny");
  const allowed = new Set(named.filter(({ decision }) => decision === "allow").map(targetOf));
  notes.push(
    ...notesOnRefused(
      refused.filter((row) => !allowed.has(targetOf(row))),
      options.includeDenied,
    ),
  );
  const uses = usesOf(wanted);
  const merged = options.wildcards ? mergeSiblings(uses) : { uses, notes: [] };
  const all = rulesOf(merged.uses);
  const rules = all.filter((rule) => networkRuleSchema.safeParse(rule).success);
  for (const { host, cidr } of all.filter((rule) => !rules.includes(rule))) {
    notes.push(`left out, because no rule can say it: ${host ?? cidr ?? ""}`);
  }
  notes.push(...merged.notes);
  if (rows.length === 0) notes.push("nothing is recorded: the policy lets nothing out");
  if (rules.length > mostRules) {
    notes.push(`${rules.length} rules are more than a policy may have (${mostRules}); --wildcards makes fewer`);
  }
  return { policy: { mode: "allow-list", rules }, notes };
}

const targetOf = ({ host, port }: Pick<EgressRowView, "host" | "port">) => `${host}:${port}`;

function notesOnRefused(refused: readonly EgressRowView[], included: boolean): string[] {
  const targets = new Map(refused.map((row) => [targetOf(row), row.reason]));
  if (targets.size === 0) return [];
  if (!included)
    return [`left out, because refused (--include-denied adds them): ${[...targets.keys()].sort().join(", ")}`];
  return [...targets].map(([target, reason]) => `${target} is in although it was refused: ${reason}`);
}

function usesOf(rows: readonly EgressRowView[]): Use[] {
  const uses = new Map<string, Use>();
  for (const row of rows) {
    const known = uses.get(targetOf(row));
    const seen = methodsOf(row);
    uses.set(targetOf(row), {
      host: row.host,
      port: row.port,
      methods: known === undefined ? seen : union(known.methods, seen),
      inspected: row.inside === "https" || known?.inspected === true,
    });
  }
  return [...uses.values()];
}

/** Of several requests in one connection the record has the first one's method only. */
function methodsOf({ inside, method, requests }: EgressRowView): ReadonlySet<string> | null {
  const visible = (inside === "http" || inside === "https") && method !== null && requests <= 1;
  return visible ? new Set([method]) : null;
}
