import type { AsyncRequest, CallbackBody } from "#contracts/agent/background.ts";
import type { Language } from "#contracts/agent/languages.ts";
import { toBulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { Logger } from "#telemetry/logger.ts";
import { makeDelivery } from "../callback/delivery.ts";
import { makePost } from "../callback/post.ts";
import { callbackTarget, noWayOut } from "../callback/target.ts";
import { makeTurns } from "../callback/turns.ts";
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
import { readableSoon } from "./routes.ts";

/** Attempts of all callbacks together that go on at once: each holds a whole body. */
const attemptsAtOnce = 8;

export interface AsyncOptions extends PrepareOptions {
  readonly registry: Registry;
  readonly languages: Readonly<Record<Language, RunCode>>;
  readonly lifecycle: Pick<Lifecycle, "env" | "requireAwake" | "execution" | "sandbox">;
  readonly timers: Pick<ActiveTimers, "after">;
  readonly clock: AgentClock;
  readonly logger: Logger;
  /** Absent: the sandbox has no way out. */
  readonly egressPort?: number;
  /** File of the authorities that receivers of callbacks are checked by. @default - Node's own */
  readonly trusted?: string | undefined;
}

/** Empty for one that is completed. */
function whyNot(entry: BackgroundEntry, ended: RunResult | Error): string {
  if (ended instanceof Error) return toBulkheadError(ended).message;
  if (entry.status === "killed") return "The execution was killed.";
  if (ended.timedOut) return "The execution took longer than its timeout.";
  return entry.status === "completed" ? "" : `The program ended with exit code ${ended.exitCode}.`;
}

/** A killed one is told as failed: its receiver knows these three. */
function bodyOf(entry: BackgroundEntry, ended: RunResult | Error): CallbackBody {
  const timedOut = !(ended instanceof Error) && ended.timedOut && entry.status !== "killed";
  const endedAt = entry.endedAt ?? entry.startedAt;
  return {
    execution_id: entry.executionId,
    status: timedOut ? "timeout" : entry.status === "completed" ? "completed" : "failed",
    stdout: entry.stdout.text(),
    stderr: entry.stderr.text(),
    exit_code: entry.exitCode ?? 1,
    execution_time: (endedAt - entry.startedAt) / 1000,
    timestamp: toRfc3339(endedAt),
    error: whyNot(entry, ended),
  };
}

/** `POST /execute/async`: an execution whose end is posted to its caller. It counts as activity while it runs. */
export function asyncRoute(options: AsyncOptions): Route {
  const { registry, languages, lifecycle, timers, clock, logger, egressPort, trusted } = options;
  const inTurn = makeTurns(attemptsAtOnce);

  async function begin(asked: AsyncRequest): Promise<BackgroundEntry> {
    const url = callbackTarget(asked.callback_url);
    if (egressPort === undefined || lifecycle.sandbox()?.internet_access === false) throw noWayOut();
    const { language, request } = prepareCode(readableSoon(options), asked);
    const labels = { name: language, language, command: language };
    const { entry, ended } = await registry.start(labels, (follow) =>
      lifecycle.execution(() => languages[language]({ ...request, ...follow })),
    );
    const { callback_headers: headers, callback_signature_secret: secret } = asked;
    const post = makePost({ url, headers, secret, executionId: entry.executionId, egressPort, trusted, clock });
    const delivery = makeDelivery({ post, timers, logger, inTurn });
    entry.delivery = delivery;
    void ended
      .catch((error: unknown) => (error instanceof Error ? error : new Error("failed")))
      .then((outcome) => delivery.send(() => JSON.stringify(bodyOf(entry, outcome))));
    return entry;
  }

  return {
    method: "POST",
    path: "/execute/async",
    async handle(request) {
      const asked = parseAsync(await request.json());
      lifecycle.requireAwake();
      const entry = await begin(asked);
      request.send(200, {
        execution_id: entry.executionId,
        process_id: entry.id,
        status: "queued",
        callback_url: asked.callback_url,
        message: "The outcome will be posted to callback_url.",
        timestamp: toRfc3339(clock.now()),
      });
    },
  };
}
