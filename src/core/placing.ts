import { activateSandbox } from "./activate.ts";
import { activation, leaseOf } from "./deadlines.ts";
import { rememberDelivered } from "./delivered-secrets.ts";
import type { CoreDeps } from "./deps.ts";
import { running } from "./draft.ts";
import type { Ender } from "./end.ts";
import { isOver } from "./lifecycle.ts";
import type { Endpoint, InstanceRecord, SandboxRecord } from "./model.ts";
import { isRestarting, settleStopped } from "./settle-stopped.ts";

/** A container runs a moment before its agent listens. */
const agentAnswerMs = 15_000;

/** What happens when the provider has placed an instance that was launched elsewhere. */
export interface Placing {
  /**
   * The instance runs and has an address: it becomes warm, or is given to the sandbox that waits for it. Safe to repeat, and to be told late.
   * @throws BulkheadError AGENT_UNREACHABLE when a warm instance's agent does not answer; a sandbox's create then fails instead
   */
  placed(instanceId: string, endpoint: Endpoint): Promise<void>;
}

export function makePlacing(deps: CoreDeps, ender: Ender): Placing {
  const { ports, instances } = deps;
  const { clock, logger } = ports;

  /** @returns the endpoint with the certificate that the agent showed, and what it will show the egress proxy */
  async function meet(endpoint: Endpoint): Promise<Endpoint> {
    const state = await ports.agent.health(endpoint, agentAnswerMs);
    if (endpoint.kind !== "tcp") return endpoint;
    const { certificate_fingerprint: fingerprint, egress_key_hash: egressKeyHash } = state;
    return {
      ...endpoint,
      ...(fingerprint !== undefined && { fingerprint }),
      ...(egressKeyHash !== undefined && { egressKeyHash }),
    };
  }

  /** @returns the record as written, by this call or by another that was told the same, or null when somebody ended the instance meanwhile */
  async function settle(record: InstanceRecord, endpoint: Endpoint): Promise<InstanceRecord | null> {
    for (let current = record; ; ) {
      const state = current.sandboxId === null ? "warm" : "claimed";
      const ready: InstanceRecord = {
        ...current,
        state,
        stateDeadlineAt: null,
        endpoint,
        version: current.version + 1,
      };
      if ((await ports.instances.replace(ready)) === "written") return ready;
      const fresh = await ports.instances.get(record.id);
      if (fresh?.state === state) return fresh;
      if (fresh?.state !== "starting") return null;
      current = fresh;
    }
  }

  /** @returns the sandbox if it still waits for this instance */
  async function waiting(record: InstanceRecord): Promise<SandboxRecord | null> {
    const sandbox = record.sandboxId === null ? undefined : await ports.sandboxes.get(record.sandboxId);
    if (sandbox === undefined || isOver(sandbox.status) || sandbox.instanceId !== record.id) return null;
    return sandbox;
  }

  async function activate(sandbox: SandboxRecord, endpoint: Endpoint): Promise<void> {
    const { id, projectId, sealedEnv, deadlines } = sandbox;
    const env = sealedEnv === null ? {} : await ports.vault.open(sealedEnv, { sandboxId: id, projectId });
    rememberDelivered(ports.secretValues, sandbox, env);
    await activateSandbox(deps, endpoint, activation(sandbox, env, deadlines), sandbox);
  }

  /** Writes `running`; what a caller changed meanwhile, e.g. the timeout, stays and is told to the agent. */
  async function run(sandbox: SandboxRecord, instance: InstanceRecord, endpoint: Endpoint): Promise<boolean> {
    for (let current: SandboxRecord | null = sandbox; current !== null; current = await waiting(instance)) {
      if (current.status === "running") return true;
      const next = { ...current, ...running(instance, clock.now()), version: current.version + 1 };
      if ((await ports.sandboxes.replace(next)) === "lost") continue;
      if (next.deadlines !== sandbox.deadlines) await ports.agent.renew(endpoint, leaseOf(next.deadlines));
      ports.events.publish({ type: "sandbox.running", record: next, endpoint });
      return true;
    }
    return false;
  }

  async function serve(record: InstanceRecord, found: Endpoint): Promise<void> {
    const sandbox = await waiting(record);
    if (sandbox === null) return instances.end(record.id);
    const endpoint = await meet(found);
    await activate(sandbox, endpoint);
    const settled = await settle(record, endpoint);
    if (settled === null || !(await run(sandbox, settled, endpoint))) await instances.end(record.id);
  }

  return {
    async placed(instanceId, endpoint) {
      const record = await ports.instances.get(instanceId);
      if (record === undefined) {
        // Launched for something that ended in the same moment.
        logger.warn("instance without a record placed, ended", { instance: instanceId });
        return ports.compute.stop(instanceId);
      }
      if (record.state !== "starting") return;
      if (record.sandboxId === null) {
        await settle(record, await meet(endpoint));
        return;
      }
      try {
        await serve(record, endpoint);
      } catch (error) {
        logger.error("placed instance not usable", { instance: instanceId, sandbox: record.sandboxId, error });
        const sandbox = await waiting(record);
        if (sandbox !== null && isRestarting(sandbox)) return settleStopped(deps, ender, sandbox.id, record.id);
        // Another call that was told the same may have done it.
        await ender.end(record.sandboxId, (fresh) => (fresh.status === "creating" ? "create_failed" : null));
      }
    },
  };
}
