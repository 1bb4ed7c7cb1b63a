import type { ActivateRequest, AgentState, Lease } from "#contracts/agent-control.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Endpoint } from "#core/model.ts";
import type { AgentPort, Clock, Timer } from "#core/ports.ts";
import { endpointOf, type FakeCompute } from "./fake-compute.ts";

interface Life {
  request: ActivateRequest;
  lastActivityAt: number;
  activeExecutions: number;
  watchdog: Timer | null;
  frozen: boolean;
}

export interface FakeAgent extends AgentPort {
  /** How long an activation takes. */
  latencyMs: number;
  /** Whether agents end their own instance at its deadline, as real ones do. */
  watchdog: boolean;
  /** Instances whose agent does not answer although it exists. */
  readonly silent: Set<string>;
  /** What an instance was activated with. */
  activation(instanceId: string): ActivateRequest | undefined;
  /** Sandboxes each instance was ever asked to serve and accepted; more than one would be a breach. */
  served(instanceId: string): readonly string[];
  isFrozen(instanceId: string): boolean;
  /** As the sandbox's own code changes its environment. */
  setEnv(instanceId: string, env: Readonly<Record<string, string>>): void;
  /** Activity that no gateway reports; `activeExecutions` keeps the sandbox busy. */
  work(instanceId: string, activeExecutions?: number): void;
}

/** The agents of everything a FakeCompute runs. */
export function makeFakeAgent(compute: FakeCompute, clock: Clock): FakeAgent {
  const lives = new Map<string, Life>();
  const served = new Map<string, string[]>();

  function reach(endpoint: Endpoint): string {
    const id = [...compute.existing.keys()].find((candidate) => same(endpointOf(candidate), endpoint));
    if (id === undefined || agent.silent.has(id) || !compute.isPlaced(id)) {
      throw new BulkheadError("AGENT_UNREACHABLE", "The agent does not answer. Try again.");
    }
    return id;
  }

  function watch(instanceId: string, life: Life): void {
    life.watchdog?.cancel();
    if (!agent.watchdog) return;
    const { cause, at } = firstDeadline(life);
    life.watchdog = clock.after(at - clock.now(), () => {
      if (firstDeadline(life).at > clock.now()) watch(instanceId, life);
      else compute.exit(instanceId, cause, `deadline ${cause}`);
    });
  }

  function stateOf(instanceId: string): AgentState {
    const life = lives.get(instanceId);
    if (life === undefined) return { state: "warm", last_activity_at: clock.now(), active_executions: 0 };
    return {
      state: "active",
      sandbox_id: life.request.sandbox_id,
      last_activity_at: life.lastActivityAt,
      active_executions: life.activeExecutions,
      frozen: life.frozen,
    };
  }

  async function setFrozen(endpoint: Endpoint, frozen: boolean): Promise<AgentState> {
    if (agent.latencyMs > 0) await clock.sleep(agent.latencyMs);
    const id = reach(endpoint);
    const life = lives.get(id);
    if (life === undefined) throw new BulkheadError("CONFLICT", "The instance has no sandbox yet.");
    life.frozen = frozen;
    life.lastActivityAt = clock.now();
    watch(id, life);
    return stateOf(id);
  }

  const agent: FakeAgent = {
    latencyMs: 0,
    watchdog: true,
    silent: new Set(),
    async activate(endpoint, request) {
      if (agent.latencyMs > 0) await clock.sleep(agent.latencyMs);
      const id = reach(endpoint);
      const life = lives.get(id);
      if (life !== undefined && life.request.sandbox_id !== request.sandbox_id) {
        throw new BulkheadError("CONFLICT", "The instance belongs to another sandbox.");
      }
      if (life !== undefined) return;
      const born: Life = { request, lastActivityAt: clock.now(), activeExecutions: 0, watchdog: null, frozen: false };
      lives.set(id, born);
      served.set(id, [...(served.get(id) ?? []), request.sandbox_id]);
      watch(id, born);
    },
    async renew(endpoint, lease: Lease) {
      const id = reach(endpoint);
      const life = lives.get(id);
      if (life === undefined) throw new BulkheadError("CONFLICT", "The instance has no sandbox yet.");
      life.request = { ...life.request, lease };
      watch(id, life);
      return stateOf(id);
    },
    freeze: (endpoint) => setFrozen(endpoint, true),
    thaw: (endpoint) => setFrozen(endpoint, false),
    env: async (endpoint) => lives.get(reach(endpoint))?.request.env ?? {},
    isFrozen: (instanceId) => lives.get(instanceId)?.frozen === true,
    setEnv(instanceId, env) {
      const life = lives.get(instanceId);
      if (life !== undefined) life.request = { ...life.request, env: { ...env } };
    },
    health: async (endpoint) => stateOf(reach(endpoint)),
    activation: (instanceId) => lives.get(instanceId)?.request,
    served: (instanceId) => served.get(instanceId) ?? [],
    work(instanceId, activeExecutions = 0) {
      const life = lives.get(instanceId);
      if (life === undefined) return;
      life.lastActivityAt = clock.now();
      life.activeExecutions = activeExecutions;
      watch(instanceId, life);
    },
  };
  return agent;
}

function same(one: Endpoint, other: Endpoint): boolean {
  return one.kind === "unix" && other.kind === "unix" && one.path === other.path;
}

function firstDeadline(life: Life): { readonly cause: "timeout" | "idle" | "lifetime"; readonly at: number } {
  const { lease } = life.request;
  const idleAt =
    life.activeExecutions > 0 || life.frozen ? Number.POSITIVE_INFINITY : life.lastActivityAt + lease.idle_ms;
  const deadlines = [
    { cause: "timeout" as const, at: lease.timeout_at ?? Number.POSITIVE_INFINITY },
    { cause: "idle" as const, at: idleAt },
    { cause: "lifetime" as const, at: lease.lifetime_at },
  ];
  return deadlines.reduce((first, next) => (next.at < first.at ? next : first));
}
