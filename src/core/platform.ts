import type { EndReason } from "#contracts/domain.ts";
import { type AlertService, makeAlertService } from "./alerts/alert-service.ts";
import { type Audit, makeAudit } from "./audit.ts";
import { type AuditService, makeAuditService } from "./audit-chain/audit-service.ts";
import type { PlatformConfig } from "./config.ts";
import type { CoreDeps, PlatformPorts } from "./deps.ts";
import { each } from "./each.ts";
import { type EgressService, makeEgressService } from "./egress-records.ts";
import { makeEnder } from "./end.ts";
import { type EvidenceService, makeEvidenceService } from "./evidence/evidence.ts";
import { makeInstances } from "./instances.ts";
import { type KeyService, makeKeyService } from "./keys.ts";
import { type Launcher, makeLauncher } from "./launcher.ts";
import type { Endpoint, SandboxRecord } from "./model.ts";
import { makePausing } from "./pausing.ts";
import { makePlacing } from "./placing.ts";
import { makeWarmPool } from "./pool.ts";
import type { InstanceExit, TemplateStore } from "./ports.ts";
import { makeQuarantineService, type QuarantineService } from "./quarantine/quarantine.ts";
import { makeSandboxService, type SandboxService } from "./sandboxes.ts";
import { makeSecretService, type SecretService } from "./secrets.ts";
import { isRestarting, settleStopped } from "./settle-stopped.ts";
import { makeSweeper, type Sweeper } from "./sweeper.ts";
import { within } from "./within.ts";

/** Sandboxes and instances ended at the same time. */
const endWidth = 16;
/** How long a drain waits for creates that are at work. */
const settleMs = 15_000;

/** The control plane without its wires. */
export interface Platform {
  /** For what is refused before it reaches an operation. */
  readonly audit: Pick<Audit, "note">;
  readonly auditRecord: AuditService;
  readonly alerts: AlertService;
  readonly sandboxes: SandboxService;
  readonly keys: KeyService;
  readonly quarantine: QuarantineService;
  readonly evidence: EvidenceService;
  readonly egress: EgressService;
  readonly secrets: SecretService;
  readonly templates: Pick<TemplateStore, "get" | "list">;
  readonly sweeper: Sweeper;
  /** For the process that launches, where `launching` is `elsewhere`. */
  readonly launcher: Launcher;
  /** The provider placed an instance that was launched elsewhere. @throws BulkheadError AGENT_UNREACHABLE */
  instancePlaced(instanceId: string, endpoint: Endpoint): Promise<void>;
  /** Ends what a run of the platform that died left in the tables: for hosts whose instances die with it. */
  recover(): Promise<number>;
  /** Fills the pool and sweeps from now on. */
  start(): void;
  /** Fills the pool again, e.g. when a template has become ready. */
  refill(): void;
  /** Ends whatever is left of an instance, and its record. Safe to repeat. */
  endInstance(instanceId: string): Promise<void>;
  /** An instance ended without being asked to. */
  instanceExited(exit: InstanceExit): Promise<void>;
  /** Refuses creates and ends everything. @returns how many sandboxes were ended */
  drain(): Promise<number>;
}

export function makePlatform(config: PlatformConfig, ports: PlatformPorts): Platform {
  const audit = makeAudit(ports.audit, ports.clock, ports.logger, ports.secretValues);
  const instances = makeInstances({
    ...ports,
    startMs: config.instanceStartMs,
    maxLifetimeSeconds: config.maxLifetimeSeconds,
  });
  const pool = makeWarmPool({
    store: ports.instances,
    templates: ports.templates,
    instances,
    clock: ports.clock,
    logger: ports.logger,
    // Where another process launches, it also keeps the pool.
    sizes: config.launching === "here" ? config.pool : {},
    refillConcurrency: config.refillConcurrency,
  });
  const deps: CoreDeps = { config, ports, audit, instances, pool, recount: new Set() };
  const ender = makeEnder(deps);
  const sandboxes = makeSandboxService(deps, ender);
  const placing = makePlacing(deps, ender);
  const sweeper = makeSweeper(deps, ender, placing);
  let stopped = false;

  function sweepLater(): void {
    if (stopped) return;
    ports.clock.after(config.sweepEveryMs, () => {
      if (stopped) return;
      sweeper
        .sweepOnce()
        .catch((error: unknown) => ports.logger.error("sweep failed", { error }))
        .finally(sweepLater);
    });
  }

  /** Everything that lives ends as `host_retired`; instances that belong to nobody, or that no record knows, go as well. */
  async function endAll(): Promise<number> {
    let ended = 0;
    const failures: unknown[] = [];
    const endEach = async (ids: readonly string[], end: (id: string) => Promise<unknown>) =>
      each(ids, endWidth, async (id) => {
        try {
          await end(id);
        } catch (error) {
          failures.push(error);
        }
      });
    await endEach(await idsOf(ports.sandboxes.listLive()), async (id) => {
      await ender.end(id, "host_retired");
      ended += 1;
    });
    // A create at work finds its sandbox ended and takes its instance away by itself.
    await within(ports.clock, sandboxes.settled(), settleMs);
    await endEach(await idsOf(ports.instances.listAll()), (id) => instances.end(id));
    await endEach(
      (await ports.compute.list()).map((one) => one.instanceId),
      (id) => ports.compute.stop(id),
    );
    if (failures.length > 0)
      throw new AggregateError(failures, `${failures.length} of the platform's things could not be ended`);
    return ended;
  }

  return {
    audit,
    auditRecord: makeAuditService(ports.auditChain, audit),
    alerts: makeAlertService({ alerts: ports.alerts, audit, clock: ports.clock }),
    sandboxes,
    keys: makeKeyService({
      keys: ports.keys,
      audit,
      clock: ports.clock,
      signals: ports.signals,
      policy: config.keys,
    }),
    quarantine: makeQuarantineService(deps, makePausing(deps)),
    evidence: makeEvidenceService(deps),
    egress: makeEgressService({ egress: ports.egress, audit }),
    secrets: makeSecretService(ports.secrets, audit),
    templates: ports.templates,
    sweeper,
    launcher: makeLauncher(deps, ender),
    instancePlaced: (instanceId, endpoint) => placing.placed(instanceId, endpoint),
    recover: endAll,
    start() {
      pool.refill();
      sweepLater();
    },
    refill: () => pool.refill(),
    endInstance: (instanceId) => instances.end(instanceId),
    async instanceExited(exit) {
      const record = await ports.instances.get(exit.instanceId);
      ports.logger.info("instance ended by itself", {
        instance: exit.instanceId,
        cause: exit.cause,
        detail: exit.message,
      });
      // Whoever ended it elsewhere may have had the right to stop it only: what was made around it is still there.
      if (record === undefined)
        return config.launching === "elsewhere" ? ports.compute.stop(exit.instanceId) : undefined;
      const { sandboxId } = record;
      const sandbox = sandboxId === null ? undefined : await ports.sandboxes.get(sandboxId);
      if (sandbox !== undefined && isRestarting(sandbox)) await settleStopped(deps, ender, sandbox.id, record.id);
      if (sandboxId !== null && !sandboxes.instanceDied(sandboxId, record.id)) {
        // A sandbox that is stopped, or went on with another instance, is not concerned.
        await ender.end(sandboxId, (fresh) => (fresh.instanceId === record.id ? whyEnded(fresh, exit) : null), "agent");
      }
      // Also when a sandbox was ended: repeating it is harmless, and a warm one has no sandbox that would do it.
      await instances.end(record.id);
      pool.refill();
    },
    async drain() {
      stopped = true;
      sandboxes.refuseCreates();
      await pool.close();
      return endAll();
    },
  };
}

/** A sandbox that never ran has failed, whatever its instance died of. */
function whyEnded(sandbox: SandboxRecord, exit: InstanceExit): EndReason {
  return sandbox.status === "creating" ? "create_failed" : exit.cause;
}

async function idsOf(items: AsyncIterable<{ readonly id: string }>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const item of items) ids.push(item.id);
  return ids;
}
