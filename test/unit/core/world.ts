import type { PlatformConfig } from "#core/config.ts";
import type { PlatformPorts } from "#core/deps.ts";
import type { Principal, SandboxRecord } from "#core/model.ts";
import { makePlatform, type Platform } from "#core/platform.ts";
import type { CreateContext, Created, CreateInput } from "#core/sandboxes.ts";
import { type Fakes, makeFakes } from "#test/support/fakes.ts";
import type { Faults } from "#test/support/faults.ts";
import { aContext, aPrincipal, aTemplate } from "#test/support/fixtures.ts";
import { type StreamEvent, withStream } from "#test/support/table-stream.ts";

export const someConfig: PlatformConfig = {
  region: "local",
  idleTimeoutSeconds: 3600,
  maxLifetimeSeconds: 86_400,
  createWaitMs: 20_000,
  launching: "here",
  instanceStartMs: 60_000,
  createConcurrency: 100,
  quotaPerProject: 10,
  pool: {},
  refillConcurrency: 2,
  sweepEveryMs: 60_000,
  tombstoneSeconds: 86_400,
};

export const someInput: CreateInput = {
  template: { name: "base" },
  timeoutSeconds: null,
  env: {},
};

/** A platform whose every call can be made to fail, and what a test says to it. */
export interface World extends Fakes {
  readonly platform: Platform;
  /** Set at any time; see {@link Faults}. */
  faults: Faults;
  /** Calls of ports so far, e.g. "sandboxes.insert". */
  readonly calls: string[];
  create(
    change?: Partial<CreateInput>,
    context?: Partial<CreateContext> & { readonly principal?: Principal },
  ): Promise<Created>;
  record(id: string): Promise<SandboxRecord>;
  /** What the audit log has of an action. */
  audited(action: string): { readonly outcome: string; readonly target: string | null; readonly actor: string }[];
}

export interface WorldOptions {
  readonly seed?: number;
  readonly ports?: (ports: PlatformPorts) => PlatformPorts;
  /** Hears what the table's stream says of instances. */
  readonly heard?: (event: StreamEvent) => void;
}

export async function makeWorld(config: Partial<PlatformConfig> = {}, options: WorldOptions = {}): Promise<World> {
  const calls: string[] = [];
  const fakes = makeFakes({
    seed: options.seed ?? 1,
    faults: {
      before(call) {
        calls.push(call);
        return world.faults.before?.(call);
      },
      after: (call) => world.faults.after?.(call),
    },
  });
  const { heard } = options;
  const ports = options.ports ?? ((same: PlatformPorts) => same);
  const instances = heard === undefined ? fakes.ports.instances : withStream(fakes.ports.instances, fakes.clock, heard);
  const platform = makePlatform({ ...someConfig, ...config }, ports({ ...fakes.ports, instances }));
  fakes.compute.onExit((exit) => void platform.instanceExited(exit).catch(() => {}));
  const world: World = {
    ...fakes,
    platform,
    faults: {},
    calls,
    create: (change = {}, { principal = aPrincipal, ...context } = {}) =>
      platform.sandboxes.create(
        principal,
        { ...someInput, ...change },
        { ...aContext, idempotencyKey: null, bodyHash: "body", signal: new AbortController().signal, ...context },
      ),
    async record(id) {
      const record = await fakes.stores.sandboxes.get(id);
      if (record === undefined) throw new Error(`no record of ${id}`);
      return record;
    },
    audited: (action) =>
      fakes.stores.audit.events
        .filter((event) => event.action === action)
        .map(({ outcome, target, actor }) => ({ outcome, target, actor })),
  };
  await fakes.stores.templates.put(aTemplate());
  return world;
}

/** A platform with `size` warm instances. */
export async function makeWarmWorld(size: number, config: Partial<PlatformConfig> = {}): Promise<World> {
  const world = await makeWorld({ pool: { base: size }, ...config });
  world.platform.refill();
  await world.clock.advance(5_000);
  return world;
}

/** How a promise came out. */
export async function outcomeOf<T>(work: Promise<T>): Promise<{ value: T } | { code: string }> {
  try {
    return { value: await work };
  } catch (error) {
    return { code: error instanceof Error && "code" in error ? String(error.code) : String(error) };
  }
}

/** Everything that exists or is written down as living: empty when nothing leaked. */
export async function leftovers(world: Fakes): Promise<string[]> {
  const left: string[] = [...world.compute.existing.keys()].map((id) => `instance ${id}`);
  for await (const record of world.stores.instances.listAll()) left.push(`record of ${record.id} (${record.state})`);
  for await (const record of world.stores.sandboxes.listLive()) left.push(`sandbox ${record.id} (${record.status})`);
  left.push(...[...world.compute.disks].map((id) => `disk ${id}`));
  const counted = await world.stores.sandboxes.quotaInUse(aPrincipal.projectId);
  if (counted !== 0) left.push(`quota ${counted}`);
  return left;
}

/** Lets one call fail. */
export function failing(call: string, error: Error): Faults {
  return {
    before(made) {
      if (made === call) throw error;
    },
  };
}

/** From the first `call` on nothing of this process goes on: it has died, with whatever it had begun. */
export function dyingAt(isStep: (call: string) => boolean): Faults {
  let died = false;
  return {
    before(call) {
      died ||= isStep(call);
      return died ? new Promise<never>(() => {}) : undefined;
    },
  };
}
