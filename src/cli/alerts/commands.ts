import { type Command, InvalidArgumentError, Option } from "commander";
import { type AlertView, alertRuleNames } from "#contracts/control/alerts.ts";
import { Interrupted } from "../interrupts.ts";
import { addCommonOptions, type CommonFlags } from "../options.ts";
import { json } from "../output.ts";
import type { CliDeps } from "../program.ts";
import type { AlertsPeer } from "./peer.ts";
import { alertLine, alertTable } from "./table.ts";

interface AlertFlags extends CommonFlags {
  readonly open?: boolean;
  readonly rule?: string;
}

const everyMs = 1_000;
/** 128 + SIGINT. */
const ctrlC = 130;

/** `alerts list|tail|ack`. */
export function addAlertCommands(program: Command, deps: CliDeps): void {
  const alerts = program
    .command("alerts")
    .summary("list, watch and acknowledge alerts")
    .description("What somebody should look at: equal findings of one hour are one alert, kept for 30 days.");
  addAlertOptions(addCommonOptions(alerts.command("list", { isDefault: true })))
    .alias("ls")
    .description("List alerts, newest first.")
    .option("--limit <number>", "at most so many", parseLimit, 50)
    .addHelpText(
      "after",
      "\nExamples:\n  bulkhead alerts\n  bulkhead alerts list --open --json\n  bulkhead alerts list --rule decoy.used",
    )
    .action(async (flags: AlertFlags & { readonly limit: number }) => {
      const found = await someAlerts(deps.connect(flags).alerts, queryOf(flags), flags.limit);
      deps.output.out(flags.json === true ? json(found) : alertTable(found));
    });
  addAlertOptions(addCommonOptions(alerts.command("tail"), "print one JSON object per line"))
    .description("Show alerts as they come, with what to do first, until Ctrl-C.")
    .addHelpText("after", "\nExamples:\n  bulkhead alerts tail\n  bulkhead alerts tail --json")
    .action((flags: AlertFlags) => tail(flags, deps));
  addCommonOptions(alerts.command("ack"))
    .argument("<alert>", "its id, as the list shows it")
    .description("Acknowledge an alert: say that you look after it. The first one who says so stands.")
    .addHelpText("after", "\nExample:\n  bulkhead alerts ack al_017638200000000123456789abcdef")
    .action(async (id: string, flags: CommonFlags) => {
      const alert = await deps.connect(flags).alerts.acknowledge(id);
      deps.output.out(
        flags.json === true ? json(alert) : `${alert.id} acknowledged by ${alert.acknowledged_by ?? "-"}`,
      );
    });
}

function addAlertOptions(command: Command): Command {
  return command
    .option("--open", "only those that nobody has acknowledged")
    .addOption(new Option("--rule <rule>", "only of this rule").choices([...alertRuleNames]));
}

function queryOf({ open, rule }: AlertFlags): Record<string, string> {
  return { ...(open === true && { open: "true" }), ...(rule !== undefined && { rule }) };
}

async function someAlerts(
  peer: AlertsPeer,
  query: Readonly<Record<string, string>>,
  limit: number,
  signal?: AbortSignal,
): Promise<readonly AlertView[]> {
  const found: AlertView[] = [];
  let cursor: string | null = null;
  do {
    const more = { limit: String(Math.min(200, limit - found.length)), ...(cursor !== null && { cursor }) };
    const page: Awaited<ReturnType<AlertsPeer["page"]>> = await peer.page({ ...query, ...more }, signal);
    found.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor !== null && found.length < limit);
  return found;
}

/** Ids sort by the hour only, so the newest ones are compared with what was shown. */
async function tail(flags: AlertFlags, deps: CliDeps): Promise<void> {
  const { output } = deps;
  const { alerts } = deps.connect(flags);
  try {
    await deps.interrupts.during(async (signal) => {
      let seen: ReadonlySet<string> | null = null;
      while (!signal.aborted) {
        const found = await someAlerts(alerts, queryOf(flags), 200, signal);
        const fresh = seen === null ? [] : found.filter(({ id }) => seen?.has(id) === false).toReversed();
        seen = new Set(found.map(({ id }) => id));
        const lines = fresh.map((alert) => (flags.json === true ? JSON.stringify(alert) : alertLine(alert)));
        if (lines.length > 0) await output.raw("stdout", `${lines.join("\n")}\n`);
        await deps.sleep(everyMs, signal);
      }
    });
  } catch (thrown) {
    // It is how one ends it.
    if (!(thrown instanceof Interrupted && thrown.exitCode === ctrlC)) throw thrown;
  }
}

function parseLimit(text: string): number {
  const limit = Number(text);
  if (/^\d{1,5}$/.test(text) && limit > 0) return limit;
  throw new InvalidArgumentError("A limit is a whole number from 1 to 99999.");
}
