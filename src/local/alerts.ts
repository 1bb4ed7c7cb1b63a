import { makeAlertStore } from "#aws/alert-store.ts";
import { makeSocketDocumentClient } from "#aws/clients.ts";
import { makeAlerts } from "#core/alerts/alerts.ts";
import type { AlertSink, AlertStore } from "#core/alerts/model.ts";
import type { Signals } from "#core/alerts/signals.ts";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type AlertWebhook, makeAlertWebhook } from "./alerts-webhook.ts";
import type { LocalConfig } from "./config.ts";
import type { LocalDatabase } from "./database/database.ts";
import { developmentProject } from "./development-key.ts";
import type { Home } from "./home.ts";
import { readKeyFile } from "./key-file.ts";

export interface LocalAlertsDeps {
  readonly config: Pick<LocalConfig, "alertWebhook" | "alertWebhookSecretFile" | "quarantineOn">;
  readonly home: Home;
  readonly database: LocalDatabase;
  readonly table: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Hold = (sandboxId: string, by: string, reason: string) => Promise<unknown>;

/** Alerts of this machine: in the table, in the log, and to whom they are posted. */
export interface LocalAlerts {
  readonly signals: Signals;
  readonly store: AlertStore;
  /** What holds a sandbox: the platform, which is made of `signals`. */
  quarantineBy(hold: Hold): void;
  close(): Promise<void>;
}

export function openLocalAlerts({ config, home, database, table, clock, logger }: LocalAlertsDeps): LocalAlerts {
  const client = makeSocketDocumentClient(database.socketPath);
  const store = makeAlertStore({ client, table, clock, logger }, { operator: developmentProject });
  const webhook = openWebhook(config, home, clock, logger);
  const sink: AlertSink = {
    notify(alert) {
      const { id, rule, severity, subject, text } = alert;
      logger[severity === "critical" ? "error" : "warn"]("alert", { id, rule, severity, subject, text });
      webhook?.notify(alert);
    },
  };
  const holder: { current: Hold | null } = { current: null };
  const alerts = makeAlerts({
    ...{ store, sink, clock, logger },
    quarantineOn: new Set(config.quarantineOn),
    quarantine: async (...args) => holder.current?.(...args),
  });
  return {
    signals: alerts,
    store,
    quarantineBy(hold) {
      holder.current = hold;
    },
    async close() {
      webhook?.close();
      await alerts.settled();
    },
  };
}

function openWebhook(
  { alertWebhook: url, alertWebhookSecretFile }: LocalAlertsDeps["config"],
  home: Home,
  clock: Clock,
  logger: Logger,
): AlertWebhook | null {
  if (url === null) return null;
  const make = () => `${Buffer.from(clock.random(32)).toString("base64url")}\n`;
  const secret = readKeyFile(alertWebhookSecretFile ?? home.alertSecretFile, make)
    .toString("utf8")
    .trim();
  return makeAlertWebhook({ url, secret, clock, logger });
}
