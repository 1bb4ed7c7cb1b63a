import { describe, expect, it } from "vitest";
import { z } from "zod";
import { BulkheadError } from "#contracts/errors.ts";
import type { PlatformConfig } from "#core/config.ts";
import { expiresAt } from "#core/deadlines.ts";
import type { SandboxRecord } from "#core/model.ts";
import { makePlatform, type Platform } from "#core/platform.ts";
import type { CreateContext } from "#core/sandboxes.ts";
import { type Fakes, makeFakes } from "#test/support/fakes.ts";
import { withFaults } from "#test/support/faults.ts";
import { aContext, aPrincipal, aTemplate } from "#test/support/fixtures.ts";
import { type StreamEvent, withStream } from "#test/support/table-stream.ts";
import { makeRandom } from "#test/support/virtual-clock.ts";

/** `SIM_SEED=7 npx vitest run --project simulation` replays one world; `SIM_SEEDS` says how many are tried. */
const environment = z
  .object({ SIM_SEED: z.coerce.number().int().optional(), SIM_SEEDS: z.coerce.number().int().default(300) })
  .parse(process.env);
const seeds =
  environment.SIM_SEED === undefined
    ? Array.from({ length: environment.SIM_SEEDS }, (_, index) => index + 1)
    : [environment.SIM_SEED];

const config: PlatformConfig = {
  region: "local",
  idleTimeoutSeconds: 120,
  maxLifetimeSeconds: 600,
  createWaitMs: 1_000,
  launching: "here",
  instanceStartMs: 60_000,
  createConcurrency: 100,
  quotaPerProject: 6,
  pool: { base: 2 },
  refillConcurrency: 2,
  sweepEveryMs: 20_000,
  tombstoneSeconds: 86_400,
};

/** As on AWS: instances are launched by who hears of their records, and placed later. */
const elsewhere: PlatformConfig = { ...config, launching: "elsewhere", instanceStartMs: 90_000 };

interface Sim {
  readonly world: Fakes;
  readonly config: PlatformConfig;
  readonly random: () => number;
  /** How often a call of a port fails, before or after it had its effect. */
  faultRate: number;
  platform: Platform;
  /** Nothing that the platform was in the middle of goes on. */
  crash: () => void;
  readonly hear: (event: StreamEvent) => void;
  readonly known: string[];
  /** When instances ended by themselves. */
  readonly exits: Map<string, number>;
  /** Disks that went with their instance. */
  readonly lostDisks: Set<string>;
}

function makeSim(seed: number): Sim {
  const random = makeRandom(seed);
  const strike = (call: string) => {
    if (random() >= sim.faultRate) return;
    throw new BulkheadError("SERVICE_UNAVAILABLE", `injected into ${call}`);
  };
  const world = makeFakes({ seed, faults: { before: strike, after: strike } });
  world.compute.latencyMs = Math.floor(random() * 2_000);
  world.agent.latencyMs = Math.floor(random() * 200);
  world.agent.watchdog = random() < 0.5;
  // Long enough for some to live through the good weather.
  const chosen = { ...(random() < 0.5 ? config : elsewhere), idleTimeoutSeconds: random() < 0.5 ? 120 : 500 };
  if (chosen.launching === "elsewhere") world.compute.placedAfterMs = Math.floor(random() * 40_000);
  const hear = (event: StreamEvent) => {
    if (sim.config.launching === "elsewhere") tell(sim, 4_000, () => follow(sim, event));
  };
  const sim: Sim = {
    world,
    config: chosen,
    random,
    faultRate: 0,
    ...spawn(world, chosen, hear),
    hear,
    known: [],
    exits: new Map(),
    lostDisks: new Set(),
  };
  world.compute.onExit((exit) => {
    lose(sim, exit.instanceId);
    tell(sim, 5_000, () => sim.platform.instanceExited(exit));
  });
  world.compute.onPlaced((id, endpoint) => tell(sim, 5_000, () => sim.platform.instancePlaced(id, endpoint)));
  return sim;
}

function lose(sim: Sim, instanceId: string): void {
  sim.exits.set(instanceId, sim.world.clock.now());
  sim.lostDisks.add(sim.world.compute.diskOf(instanceId));
}

/** Events arrive late, twice, or never. */
function tell(sim: Sim, withinMs: number, act: () => Promise<unknown>): void {
  const told = Math.floor(sim.random() * 3);
  for (let count = 0; count < told; count += 1) {
    sim.world.clock.after(sim.random() * withinMs, () => void act().catch(() => {}));
  }
}

function follow({ platform }: Sim, event: StreamEvent): Promise<void> {
  return "claimed" in event ? platform.launcher.replace(event.claimed) : platform.launcher.launch(event.inserted.id);
}

/** What runs each minute on AWS beside the sweeper. */
function lookAround(sim: Sim): void {
  if (sim.config.launching === "elsewhere") sim.platform.launcher.keep().catch(() => {});
  sim.world.clock.after(config.sweepEveryMs, () => lookAround(sim));
}

/** One process: after its crash none of its calls comes back or has an effect. */
function spawn(
  world: Fakes,
  spawned: PlatformConfig,
  hear: (event: StreamEvent) => void,
): Pick<Sim, "platform" | "crash"> {
  let crashed = false;
  const hang = () => (crashed ? new Promise<void>(() => {}) : undefined);
  const mortal = <T extends object>(name: string, port: T) => withFaults(name, port, { before: hang, after: hang });
  const { ports } = world;
  const platform = makePlatform(spawned, {
    ...ports,
    sandboxes: mortal("sandboxes", ports.sandboxes),
    instances: withStream(mortal("instances", ports.instances), world.clock, hear),
    templates: mortal("templates", ports.templates),
    audit: mortal("audit", ports.audit),
    compute: mortal("compute", ports.compute),
    agent: mortal("agent", ports.agent),
  });
  const crash = () => {
    crashed = true;
  };
  return { platform, crash };
}

const ignore = () => {};
const pick = <T>(sim: Sim, items: readonly T[]): T | undefined => items[Math.floor(sim.random() * items.length)];

function create(sim: Sim, change: Partial<CreateContext> = {}): void {
  const { random, platform } = sim;
  const caller = new AbortController();
  const input = {
    template: { name: "base" },
    timeoutSeconds: random() < 0.3 ? Math.ceil(random() * 300) : null,
    env: {},
  };
  const context = {
    ...aContext,
    idempotencyKey: random() < 0.3 ? `key${Math.floor(random() * 5)}` : null,
    bodyHash: `body${Math.floor(random() * 2)}`,
    signal: caller.signal,
    ...change,
  };
  platform.sandboxes.create(aPrincipal, input, context).then(({ sandbox }) => sim.known.push(sandbox.id), ignore);
  if (random() < 0.2) sim.world.clock.after(random() * 3_000, () => caller.abort());
}

/** Callers who do not know of each other, e.g. a start while a stop is under way. */
function rest(sim: Sim, id: string): void {
  const { sandboxes } = sim.platform;
  const wishes = Math.floor(sim.random() * sim.random() * 3) + 1;
  for (let count = 0; count < wishes; count += 1) {
    const wish = pick(sim, ["pause", "resume", "stop", "start"] as const) ?? "pause";
    sim.world.clock.after(sim.random() * 500, () => void sandboxes[wish](aPrincipal, id, aContext).catch(ignore));
  }
}

/** Held for inspection, and mostly let go again; what is not ends with the hold. */
function inspect(sim: Sim, id: string): void {
  const { quarantine } = sim.platform;
  const holdSeconds = 60 + Math.floor(sim.random() * 300);
  quarantine.quarantine(aPrincipal, id, { reason: "odd", holdSeconds }, aContext).catch(ignore);
  if (sim.random() < 0.3) return;
  sim.world.clock.after(
    sim.random() * sim.random() * 60_000,
    () => void quarantine.release(aPrincipal, id, aContext).catch(ignore),
  );
}

function vanish(sim: Sim, instanceId: string): void {
  lose(sim, instanceId);
  sim.world.compute.vanish(instanceId);
}

function act(sim: Sim): void {
  const { random, platform, world } = sim;
  // Mostly of the youngest: the others have ended.
  const id = pick(sim, random() < 0.8 ? sim.known.slice(-4) : sim.known) ?? "";
  const instance = pick(sim, [...world.compute.existing.keys()]) ?? "";
  const what = random();
  if (what < 0.3) create(sim);
  else if (what < 0.38) platform.sandboxes.kill(aPrincipal, id, aContext).catch(ignore);
  else if (what < 0.46) platform.sandboxes.setTimeout(aPrincipal, id, 200, aContext).catch(ignore);
  else if (what < 0.5) platform.sandboxes.touch(id).catch(ignore);
  else if (what < 0.72) rest(sim, id);
  else if (what < 0.78) inspect(sim, id);
  else if (what < 0.84) world.compute.exit(instance, "out_of_memory");
  else if (what < 0.88) vanish(sim, instance);
  else if (what < 0.92) world.agent.silent.add(instance);
  else if (what < 0.97) platform.sweeper.sweepOnce().catch(ignore);
  else sim.faultRate = random() < 0.5 ? 0 : random() * 0.15;
}

/** The process dies, or only looks dead, and another one starts. Instances go on, as tasks on AWS do. */
function restart(sim: Sim): void {
  if (sim.random() < 0.7) sim.crash();
  Object.assign(sim, spawn(sim.world, sim.config, sim.hear));
  sim.platform.start();
}

/** So long after its end every instance that ended by itself is known to have done so. */
const noticedMs = 3 * config.sweepEveryMs;

/** What a record says of its sandbox's instance and files is true. */
function checkBacking(sim: Sim, record: SandboxRecord): void {
  const { compute, agent } = sim.world;
  if (record.status === "stopped") {
    expect(record.instanceId, `${record.id} stopped with an instance`).toBeNull();
    expect(compute.disks.has(record.diskId ?? ""), `${record.id} stopped without files`).toBe(true);
    return;
  }
  const instanceId = record.instanceId ?? "";
  const exitedAt = sim.exits.get(instanceId) ?? 0;
  if (exitedAt + noticedMs > sim.world.clock.now()) return;
  expect(compute.existing.has(instanceId), `${record.id} has no instance`).toBe(true);
  if (record.diskId !== null) {
    const { diskId } = compute.existing.get(instanceId) ?? {};
    expect(diskId ?? instanceId, `${record.id} on other files than its own`).toBe(record.diskId);
  }
  if (agent.silent.has(instanceId)) return;
  expect(agent.isFrozen(instanceId), `${record.id} is ${record.status}`).toBe(record.status === "paused");
}

async function check(sim: Sim): Promise<void> {
  const { stores, compute, agent, clock } = sim.world;
  const owners = new Map<string, string>();
  const disks = new Set<string>();
  let live = 0;
  for await (const record of stores.sandboxes.listLive()) {
    live += 1;
    const isLate = (record.statusDeadlineAt ?? clock.now()) <= clock.now();
    const onItsWay = ["creating", "deleting"].includes(record.status);
    expect(onItsWay && isLate, `${record.id} stuck in ${record.status}`).toBe(false);
    if (record.instanceId !== null) {
      expect(owners.get(record.instanceId), "two sandboxes on one instance").toBeUndefined();
      owners.set(record.instanceId, record.id);
    }
    if (onItsWay) continue;
    const endsAt = record.quarantine?.until ?? expiresAt(record.deadlines);
    expect(endsAt + 2 * config.sweepEveryMs, `${record.id} outlives its lease`).toBeGreaterThan(clock.now());
    if (record.quarantine !== null) expect(record.status, `${record.id} runs although it is held`).not.toBe("running");
    checkBacking(sim, record);
    if (record.diskId !== null) {
      expect(disks.has(record.diskId), "two sandboxes on one disk").toBe(false);
      disks.add(record.diskId);
    }
  }
  for (const disk of compute.disks) expect(disks.has(disk), `disk ${disk} leaked`).toBe(true);
  const records = new Set<string>();
  for await (const record of stores.instances.listAll()) {
    records.add(record.id);
    if (record.sandboxId !== null) expect(owners.get(record.id), `${record.id} leaked`).toBe(record.sandboxId);
  }
  for (const id of compute.existing.keys()) expect(records.has(id), `${id} exists without a record`).toBe(true);
  for (const id of compute.launches) expect(agent.served(id).length, `${id} served two`).toBeLessThanOrEqual(1);
  expect(await stores.sandboxes.quotaInUse(aPrincipal.projectId), "quota").toBe(live);
}

async function run(seed: number): Promise<void> {
  const sim = makeSim(seed);
  const { clock, stores } = sim.world;
  await stores.templates.put(aTemplate());
  sim.platform.start();
  lookAround(sim);
  sim.faultRate = sim.random() * 0.15;
  for (let step = 0; step < 25; step += 1) {
    act(sim);
    await clock.advance(Math.floor(sim.random() * sim.random() * 15_000));
    if (sim.random() < 0.05) restart(sim);
  }
  // The weather clears: whatever went wrong is put right by the sweeps alone.
  sim.faultRate = 0;
  // A process that has just started recounts the quota of a project once that project does something.
  create(sim, { idempotencyKey: null, bodyHash: "last" });
  await clock.advance(8 * config.sweepEveryMs + 120_000);
  await check(sim);
  await clock.advance(config.maxLifetimeSeconds * 1000 + 4 * config.sweepEveryMs);
  await check(sim);
  for await (const record of stores.sandboxes.listLive()) expect.fail(`${record.id} outlived its lifetime`);
  for (const id of sim.known) {
    const tombstone = await stores.sandboxes.get(id);
    // One that never was stopped may also be a create that was cut off.
    if (tombstone?.endReason !== "task_failed" || tombstone.diskId === null) continue;
    expect(sim.lostDisks.has(tombstone.diskId), `${id} lost its files without a cause`).toBe(true);
  }
}

describe("the platform in a faulty world", () => {
  it(`leaks nothing and serves nobody twice (${seeds.length} worlds)`, { timeout: 60_000 }, async () => {
    for (const seed of seeds) {
      try {
        await run(seed);
      } catch (error) {
        throw new Error(`world ${seed}: ${String(error)}; replay it with SIM_SEED=${seed}`, { cause: error });
      }
    }
  });
});
