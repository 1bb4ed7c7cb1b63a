import { type Command, Option } from "commander";
import { type AuditEventView, auditOutcomes } from "#contracts/control/audit.ts";
import { parseSince, type Since } from "../egress/options.ts";
import type { CommonFlags } from "../options.ts";
import { printable, table } from "../output.ts";
import type { AuditRecord } from "./record.ts";

export interface AuditFlags extends CommonFlags {
  readonly target?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly outcome?: (typeof auditOutcomes)[number];
  readonly since?: Since;
}

export function addAuditOptions(command: Command): Command {
  return command
    .option("--target <id>", "only what was done to this sandbox, key or secret")
    .option("--actor <id>", "only what this key or role did")
    .option("--action <name>", "only this, e.g. sandbox.create; with a dot at the end all of that kind")
    .addOption(new Option("--outcome <outcome>", "only what came out so").choices([...auditOutcomes]))
    .option("--since <when>", "within this time, like 10m, or from a moment on, like 2026-11-23T09:00:00Z", parseSince);
}

export function queryOf(flags: AuditFlags, now: number): Record<string, string> {
  const { target, actor, action, outcome, since } = flags;
  return {
    ...(target !== undefined && { target }),
    ...(actor !== undefined && { actor }),
    ...(action !== undefined && { action }),
    ...(outcome !== undefined && { outcome }),
    ...(since !== undefined && {
      since: new Date("at" in since ? since.at : now - since.seconds * 1000).toISOString(),
    }),
  };
}

/** At most so many, page by page. */
export async function someEvents(
  record: AuditRecord,
  query: Readonly<Record<string, string>>,
  limit: number,
): Promise<readonly AuditEventView[]> {
  const found: AuditEventView[] = [];
  let cursor: string | null = null;
  do {
    const left = String(Math.min(1000, limit - found.length));
    const page: Awaited<ReturnType<AuditRecord["page"]>> = await record.page({
      ...query,
      limit: left,
      ...(cursor !== null && { cursor }),
    });
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null && found.length < limit);
  return found;
}

const headings = ["SEQ", "AT (UTC)", "ACTOR", "ACTION", "TARGET", "OUTCOME", "FROM"];

function cells(event: AuditEventView): string[] {
  const code = event.details["code"];
  return [
    String(event.seq),
    event.at.slice(0, 19).replace("T", " "),
    event.actor,
    event.action,
    event.target ?? "-",
    typeof code === "string" ? `${event.outcome} (${code})` : event.outcome,
    event.source_ip ?? "-",
  ];
}

export const eventTable = (events: readonly AuditEventView[]): string =>
  events.length === 0 ? "No events." : table(headings, events.map(cells));

const widths = [8, 19, 26, 18, 22, 30];
export const eventLine = (event: AuditEventView): string =>
  cells(event)
    .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
    .join("  ")
    .trimEnd();
