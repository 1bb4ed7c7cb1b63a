import type { agentExitCodes } from "#contracts/agent-constants.ts";
import type { ActivateRequest, AgentState, Lease } from "#contracts/agent-control.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { AgentClock } from "./clock.ts";

/** What this instance is to the platform: whom it serves, until when, and what happens in it now. */
export interface Lifecycle {
  /** Gives the instance to one sandbox. The same sandbox again is answered, another one is refused with CONFLICT. */
  activate(request: ActivateRequest): void;
  /** Replaces the deadlines. @throws BulkheadError CONFLICT while the instance is warm */
  renew(lease: Lease): void;
  /** Something the caller did; pushes the idle deadline away. */
  touch(): void;
  /** Nothing of user code runs until it is told otherwise: the idle clock stands still, and executions are refused. */
  setFrozen(frozen: boolean): void;
  /** @throws BulkheadError SANDBOX_STOPPED while it is frozen */
  requireAwake(): void;
  /** Runs `work` as an execution: the instance is not idle while it lasts. @throws BulkheadError SANDBOX_STOPPED while it is frozen */
  execution<T>(work: () => Promise<T>): Promise<T>;
  state(): AgentState;
  /** Executions that ever began. */
  executionCount(): number;
  /** undefined while warm. */
  sandbox(): ActivateRequest | undefined;
  /** Variables of the sandbox: those of its creation until /env changes them. */
  env(): Readonly<Record<string, string>>;
  setEnv(vars: Readonly<Record<string, string>>): void;
}

export type EndCause = keyof typeof agentExitCodes;

/** Timers take no longer delays, and a wall clock that jumps is noticed this late at most. */
const longestWaitMs = 60_000;

interface Deadline {
  readonly at: number;
  readonly cause: EndCause;
}

function nextDeadline(lease: Lease, idleAt: number): Deadline {
  const all: Deadline[] = [
    { at: lease.lifetime_at, cause: "lifetime" },
    { at: idleAt, cause: "idle" },
  ];
  if (lease.timeout_at !== undefined) all.push({ at: lease.timeout_at, cause: "timeout" });
  return all.reduce((first, each) => (each.at < first.at ? each : first));
}

/**
 * @param end ends the process, and with it the instance; called once, at the first deadline that passes
 * @param onEnv told of the variables whenever they change, and which of them are known to be secrets
 */
export function makeLifecycle(
  clock: AgentClock,
  end: (cause: EndCause) => void,
  onEnv: (env: Readonly<Record<string, string>>, secretNames: readonly string[]) => void = () => {},
): Lifecycle {
  let sandbox: ActivateRequest | undefined;
  let lease: Lease | undefined;
  let env: Readonly<Record<string, string>> = {};
  let lastActivity = clock.now();
  let executions = 0;
  let executionCount = 0;
  let frozen = false;
  let cancel = (): void => {};

  function watch(): void {
    cancel();
    if (lease === undefined) return;
    const now = clock.now();
    const { at, cause } = nextDeadline(lease, executions > 0 || frozen ? Infinity : lastActivity + lease.idle_ms);
    if (at <= now) {
      lease = undefined;
      end(cause);
      return;
    }
    cancel = clock.after(Math.min(at - now, longestWaitMs), watch);
  }

  function requireAwake(): void {
    if (!frozen) return;
    throw new BulkheadError("SANDBOX_STOPPED", "The sandbox is paused. Resume it before you use it.");
  }

  return {
    requireAwake,
    setFrozen(next) {
      frozen = next;
      // What was left of the idle time begins anew: whoever wakes a sandbox wants to use it.
      lastActivity = clock.now();
      watch();
    },
    activate(request) {
      if (sandbox !== undefined) {
        if (sandbox.sandbox_id === request.sandbox_id) return;
        throw new BulkheadError("CONFLICT", "This instance already serves another sandbox. Take another instance.");
      }
      sandbox = request;
      env = request.env;
      onEnv(env, request.secret_names ?? []);
      lease = request.lease;
      lastActivity = clock.now();
      watch();
    },
    renew(next) {
      if (sandbox === undefined) {
        throw new BulkheadError("CONFLICT", "This instance serves no sandbox yet. Activate it first.");
      }
      lease = next;
      watch();
    },
    // The timer is left as it is: when it fires it finds the later deadline.
    touch() {
      lastActivity = clock.now();
    },
    async execution(work) {
      requireAwake();
      executions += 1;
      executionCount += 1;
      lastActivity = clock.now();
      try {
        return await work();
      } finally {
        executions -= 1;
        lastActivity = clock.now();
        // A deadline that the execution held off may now be nearer than the timer.
        if (executions === 0) watch();
      }
    },
    state: () => ({
      state: sandbox === undefined ? "warm" : "active",
      ...(sandbox === undefined ? {} : { sandbox_id: sandbox.sandbox_id }),
      last_activity_at: lastActivity,
      active_executions: executions,
      frozen,
    }),
    executionCount: () => executionCount,
    sandbox: () => sandbox,
    env: () => env,
    setEnv(vars) {
      env = vars;
      onEnv(env, sandbox?.secret_names ?? []);
    },
  };
}
