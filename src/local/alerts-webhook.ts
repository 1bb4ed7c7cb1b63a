import type { Alert, AlertSink } from "#core/alerts/model.ts";
import { runbookOf } from "#core/alerts/rules.ts";
import type { Clock } from "#core/ports.ts";
import { signatureHeader, signWebhook } from "#core/webhooks/sign.ts";
import type { Logger } from "#telemetry/logger.ts";

export interface AlertWebhookOptions {
  readonly url: string;
  readonly secret: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default - the real one */
  readonly post?: typeof fetch;
}

export interface AlertWebhook extends AlertSink {
  /** What waits is dropped: it is in the list of alerts. */
  close(): void;
}

const maxWaiting = 500;
const answerMs = 10_000;
/** Between one try and the next. */
const backoffMs = [1_000, 4_000, 15_000, 60_000, 300_000];

/** Posts alerts one after the other, each until somebody takes it or it has been tried six times. */
export function makeAlertWebhook({ url, secret, clock, logger, post = fetch }: AlertWebhookOptions): AlertWebhook {
  const waiting: Alert[] = [];
  const closing = new AbortController();
  let busy = false;

  async function send(body: string): Promise<void> {
    const now = Math.floor(clock.now() / 1000);
    const answer = await post(url, {
      method: "POST",
      headers: { "content-type": "application/json", [signatureHeader]: signWebhook(secret, body, now) },
      body,
      // A receiver that points elsewhere is not followed.
      redirect: "manual",
      signal: AbortSignal.any([closing.signal, AbortSignal.timeout(answerMs)]),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`answered with ${answer.status}`);
  }

  async function deliver(alert: Alert): Promise<void> {
    const body = JSON.stringify(messageOf(alert));
    for (let attempt = 0; !closing.signal.aborted; attempt += 1) {
      try {
        await send(body);
        return;
      } catch (error) {
        const wait = backoffMs[attempt];
        if (wait === undefined) {
          logger.error("alert not taken by its webhook", { alert: alert.id, rule: alert.rule, error });
          return;
        }
        await clock.sleep(wait);
      }
    }
  }

  async function work(): Promise<void> {
    if (busy) return;
    busy = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await deliver(next);
    busy = false;
  }

  return {
    notify(alert) {
      if (waiting.length >= maxWaiting || closing.signal.aborted) return;
      waiting.push(alert);
      void work();
    },
    close() {
      waiting.length = 0;
      closing.abort();
    },
  };
}

function messageOf(alert: Alert) {
  const { id, projectId, rule, severity, subject, title, text, firstAt, count } = alert;
  return {
    ...{ type: "alert", id, project_id: projectId, rule, severity, subject, title, text, count },
    ...{ runbook: runbookOf(rule), first_at: new Date(firstAt).toISOString() },
  };
}
