import type { AlertRule, AlertSeverity } from "./model.ts";

interface Rule {
  readonly severity: AlertSeverity;
  readonly title: string;
  /** What to do first. */
  readonly first: string;
}

/** docs/runbooks.md has a section for each. */
export const rules: Readonly<Record<AlertRule, Rule>> = {
  "auth.refused": {
    severity: "warning",
    title: "Burst of refused keys or tokens",
    first:
      "Look who asks: bulkhead audit list --outcome refused --since 10m. Block the address in front of the platform.",
  },
  "key.dead_used": {
    severity: "warning",
    title: "Revoked or expired key in use",
    first: "Find the program that still has it. If nobody knows it, treat whatever held the key as broken into.",
  },
  "key.overdue": {
    severity: "info",
    title: "Key past its rotation date",
    first: "Replace it: bulkhead keys rotate KEY.",
  },
  "egress.denied": {
    severity: "warning",
    title: "Sandbox tries to get out more than usual",
    first:
      "Look where to: bulkhead egress list --denied --sandbox SANDBOX. If it is not yours: bulkhead quarantine SANDBOX.",
  },
  "decoy.used": {
    severity: "critical",
    title: "Decoy key of a sandbox in use",
    first: "Somebody searched the sandbox for keys and tried one. Hold it: bulkhead quarantine SANDBOX.",
  },
  "instance.leaked": {
    severity: "warning",
    title: "Instance without a living record",
    first: "The sweep has ended it. Look for crashes of the platform around that time.",
  },
  "audit.broken": {
    severity: "critical",
    title: "Audit record does not hold together",
    first: "Copy the data directory before anything else, then: bulkhead audit verify.",
  },
  "spend.near": {
    severity: "warning",
    title: "Spend cap near",
    first: "Look what runs: bulkhead ls. End what is not needed, or raise the cap: bulkhead limits.",
  },
  "alerts.suppressed": {
    severity: "warning",
    title: "More alerts than are sent",
    first: "Read all of them: bulkhead alerts list --open.",
  },
};

export const alertRules = Object.keys(rules) as AlertRule[];

/** Heading of the rule's section. */
export function runbookOf(rule: AlertRule): string {
  return `docs/runbooks.md#${rule.replaceAll(/[._]/g, "-")}`;
}
