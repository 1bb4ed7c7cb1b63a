import type { AsyncRequest, CallbackBody } from "#contracts/agent/background.ts";
import type { Language } from "#contracts/agent/languages.ts";
import { toBulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Logger } from "#telemetry/logger.ts";
import { makeDelivery } from "../callback/delivery.ts";
import { makePost } from "../callback/post.ts";
import { callbackTarget, noWayOut } from "../callback/target.ts";
import type { AgentClock } from "../clock.ts";
import type { RunCode } from "../exec/languages.ts";
import { type PrepareOptions, prepareCode } from "../exec/prepare.ts";
import type { RunResult } from "../exec/run.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { Route } from "../router.ts";
import type { ActiveTimers } from "../timers.ts";
import type { BackgroundEntry } from "./entry.ts";
import { parseAsync } from "./parse.ts";
import type { Registry } from "./registry.ts";

export interface AsyncOptions extends PrepareOptions {
  readonly registry: Registry;
  readonly languages: Readonly<Record<Language, RunCode>>;
  readonly lifecycle: Pick<Lifecycle, "env" | "requireAwake" | "execution">;
  readonly timers: Pick<ActiveTimers, "after">;
  readonly clock: AgentClock;
  readonly logger: Logger;
  /** Absent: the sandbox has no way out. */
  readonly egressPort?: number;
}

/** A killed one is told as failed: its receiver knows these three. */
function bodyOf(entry: BackgroundEntry, ended: RunResult | Error, now: number): CallbackBody {
  const failed = ended instanceof Error;
  const timedOut = !failed && ended.timedOut;
  const why = timedOut ? "The execution took longer than its timeout." : "";
  return {
    execution_id: entry.executionId,
    status: timedOut ? "timeout" : entry.status === "completed" ? "completed" : "failed",
    stdout: entry.stdout.text(),
    stderr: entry.stderr.text(),
    exit_code: entry.exitCode ?? 1,
    execution_time: ((entry.endedAt ?? now) - entry.startedAt) / 1000,
    timestamp: toRfc3339(now),
    error: failed ? toBulkheadError(ended).message : entry.status === "killed" ? "The execution was killed." : why,
  };
}

/** `POST /execute/async`: an execution whose end is posted to its caller. It counts as activity while it runs. */
export function asyncRoute(options: AsyncOptions): Route {
  const { registry, languages, lifecycle, timers, clock, logger, egressPort } = options;

  function begin(asked: AsyncRequest): BackgroundEntry {
    const url = callbackTarget(asked.callback_url);
    if (egressPort === undefined) throw noWayOut();
    const { language, request } = prepareCode(options, asked);
    const labels = { name: language, language, command: language };
    const { entry, ended } = registry.start(labels, (follow) =>
      lifecycle.execution(() => languages[language]({ ...request, ...follow })),
    );
    const { callback_headers: headers, callback_signature_secret: secret } = asked;
    const post = makePost({ url, headers, secret, executionId: entry.executionId, egressPort, clock });
    const delivery = makeDelivery({ post, timers, logger });
    entry.delivery = delivery;
    void ended
      .catch((error: unknown) => (error instanceof Error ? error : new Error("failed")))
      .then((outcome) => delivery.send(JSON.stringify(bodyOf(entry, outcome, clock.now()))));
    return entry;
  }

  return {
    method: "POST",
    path: "/execute/async",
    async handle(request) {
      const asked = parseAsync(await request.json());
      lifecycle.requireAwake();
      const entry = begin(asked);
      request.send(200, {
        execution_id: entry.executionId,
        process_id: entry.id,
        status: "queued",
        callback_url: asked.callback_url,
      });
    },
  };
}
