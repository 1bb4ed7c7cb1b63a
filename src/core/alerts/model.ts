import type { Page } from "../ports.ts";
import type { Signal } from "./signals.ts";

/** What alerts are raised for: each kind of signal, and that there were too many to tell of. */
export type AlertRule = Signal["type"] | "alerts.suppressed";
export type AlertSeverity = "info" | "warning" | "critical";

/** Equal findings of one hour. */
export interface Alert {
  /** Sorts by time; the same for everybody who finds the same in the same hour. */
  readonly id: string;
  /** null: the platform's own. */
  readonly projectId: string | null;
  readonly rule: AlertRule;
  readonly severity: AlertSeverity;
  /** Key id, sandbox, instance or address. */
  readonly subject: string;
  readonly title: string;
  /** What was seen, what to do first, and where the rest stands. */
  readonly text: string;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
  readonly acknowledgedAt: number | null;
  readonly acknowledgedBy: string | null;
}

/** One thing that a rule has found. */
export interface Finding {
  readonly rule: AlertRule;
  readonly projectId: string | null;
  readonly subject: string;
  /** Where it is a sandbox that is to blame: what may be quarantined. */
  readonly sandboxId: string | null;
  readonly seen: string;
}

export interface AlertFilter {
  /** Only those that nobody has acknowledged. */
  readonly open: boolean;
  readonly rule: AlertRule | null;
  readonly limit: number;
  readonly cursor: string | null;
}

export interface AlertStore {
  /** Adds `more` to the count of the alert with this id, which is made when there is none. Whether it is acknowledged stays. */
  add(alert: Alert, more: number): Promise<void>;
  /** Newest first. @param projectId also shows the platform's own alerts when it is the operator's */
  list(projectId: string, filter: AlertFilter): Promise<Page<Alert>>;
  get(projectId: string, id: string): Promise<Alert | undefined>;
  /** @returns the alert as it is now; undefined when there is none. The first acknowledgement stands. */
  acknowledge(projectId: string, id: string, by: string, at: number): Promise<Alert | undefined>;
}

/** Who is told of alerts. Returns at once and never throws. */
export interface AlertSink {
  notify(alert: Alert): void;
}
