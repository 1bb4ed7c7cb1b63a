import { createHash } from "node:crypto";
import type { Logger } from "#telemetry/logger.ts";
import type { Clock } from "../ports.ts";
import { makeFinder } from "./find.ts";
import { makeAlertKeeper } from "./keeper.ts";
import type { Alert, AlertRule, AlertSink, AlertStore, Finding } from "./model.ts";
import { rules, runbookOf } from "./rules.ts";
import type { Signals } from "./signals.ts";

export interface AlertsDeps {
  readonly store: Pick<AlertStore, "add">;
  readonly sink: AlertSink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Rules whose alerts hold the sandbox they name. @default - none */
  readonly quarantineOn?: ReadonlySet<AlertRule>;
  readonly quarantine?: (sandboxId: string, by: string, reason: string) => Promise<unknown>;
}

export interface Alerts extends Signals {
  /** Resolves when what was raised so far is stored, or could not be. */
  settled(): Promise<void>;
}

const hourMs = 3_600_000;
/** Alerts open at once. What comes beyond is put together by rule and project. */
const maxOpen = 2_000;
/** Notifications of one project and hour; those that are critical have as many of their own. */
const maxNotified = 20;
/** One that is being created or started cannot be held yet. */
const holdAttempts = 10;
const holdAgainMs = 3_000;

/** Makes alerts of signals: equal ones of an hour are one alert, and nobody is told more often than is of use. */
export function makeAlerts(deps: AlertsDeps): Alerts {
  const { sink, clock, logger } = deps;
  const find = makeFinder(clock);
  const keeper = makeAlertKeeper(deps.store, clock, logger);
  let hour = 0;
  let open = new Map<string, Alert>();
  let notified = new Map<string, number>();

  function take(finding: Finding): void {
    const now = clock.now();
    const current = Math.floor(now / hourMs);
    if (current !== hour) {
      hour = current;
      open = new Map();
      notified = new Map();
    }
    const subject = isRoom(finding) ? finding.subject : "others";
    const key = keyOf({ ...finding, subject });
    const known = open.get(key);
    if (known === undefined && open.size >= 2 * maxOpen) return;
    const alert =
      known === undefined
        ? alertOf({ ...finding, subject }, key, now)
        : { ...known, lastAt: now, count: known.count + 1 };
    open.set(key, alert);
    keeper.keep(alert);
    if (known !== undefined) return;
    tell(alert);
    hold(finding, alert);
  }

  const isRoom = (finding: Finding) => open.size < maxOpen || open.has(keyOf(finding));

  function tell(alert: Alert): void {
    const budget = `${alert.projectId ?? ""} ${alert.severity === "critical" ? "critical" : ""}`;
    const count = (notified.get(budget) ?? 0) + 1;
    notified.set(budget, count);
    if (count <= maxNotified || alert.rule === "alerts.suppressed") sink.notify(alert);
    else if (count === maxNotified + 1) {
      const seen = `${maxNotified} alerts were sent within this hour; further ones are listed only.`;
      const { projectId } = alert;
      take({ rule: "alerts.suppressed", projectId, subject: "alerts", sandboxId: null, seen });
    }
  }

  function hold({ sandboxId, rule, seen }: Finding, alert: Alert): void {
    if (sandboxId === null || deps.quarantine === undefined || deps.quarantineOn?.has(rule) !== true) return;
    const { quarantine } = deps;
    const tryHold = async (): Promise<void> => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          await quarantine(sandboxId, `alert:${rule}`, seen);
          return;
        } catch (error) {
          if (attempt === holdAttempts) {
            logger.error("sandbox of an alert not quarantined", { sandbox: sandboxId, alert: alert.id, error });
            return;
          }
        }
        await clock.sleep(holdAgainMs);
      }
    };
    void tryHold();
  }

  return {
    raise(signal) {
      try {
        for (const finding of find(signal)) take(finding);
      } catch (error) {
        logger.error("signal not dealt with", { type: signal.type, error });
      }
    },
    settled: () => keeper.settled(),
  };
}

function keyOf({ rule, projectId, subject }: Pick<Finding, "rule" | "projectId" | "subject">): string {
  return JSON.stringify([rule, projectId, subject]);
}

function alertOf({ rule, projectId, subject, seen }: Finding, key: string, now: number): Alert {
  const { severity, title, first } = rules[rule];
  const hour = now - (now % hourMs);
  const told = first.replaceAll("SANDBOX", subject).replaceAll(" KEY.", ` ${subject}.`);
  return {
    id: `al_${String(hour).padStart(14, "0")}${createHash("sha256").update(key).digest("hex").slice(0, 16)}`,
    ...{ projectId, rule, severity, subject, title },
    text: `${seen} First: ${told} More: ${runbookOf(rule)}`,
    ...{ firstAt: now, lastAt: now, count: 1, acknowledgedAt: null, acknowledgedBy: null },
  };
}
