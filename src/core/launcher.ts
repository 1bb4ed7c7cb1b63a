import { createHash } from "node:crypto";
import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";
import { keepsDiskOf } from "./disk.ts";
import { each } from "./each.ts";
import type { Ender } from "./end.ts";
import type { InstanceRecord, TemplateRecord } from "./model.ts";
import type { Launched } from "./ports.ts";
import { isRestarting, settleStopped } from "./settle-stopped.ts";

/** Launches under way at once in one process. */
const width = 4;
/** A request for a launch that nobody followed for this long was lost on its way. */
const lostAfterMs = 20_000;
const longestLineMs = 10_000;

/** What a look after the pool found and did. */
export interface KeepReport {
  /** Warm instances, by template. */
  readonly warm: Readonly<Record<string, number>>;
  /** Asked for to fill the pool, and launched. */
  readonly launched: number;
  /** Still missing: no room, no place in line, or a launch that failed. */
  readonly missing: number;
  readonly failures: number;
}

/** Starts the instances that records ask for: the one part of the platform that may launch where `launching` is `elsewhere`. */
export interface Launcher {
  /** Launches a wanted instance. Safe to repeat. @throws what may succeed later; the record then still asks for it */
  launch(instanceId: string): Promise<void>;
  /** One more for a warm instance that was claimed: one and the same however often it is told. */
  replace(claimed: Pick<InstanceRecord, "id" | "templateName">): Promise<void>;
  /** Fills the pool and repeats launches that were lost. Run it each minute. */
  keep(): Promise<KeepReport>;
}

export function makeLauncher(deps: CoreDeps, ender: Ender): Launcher {
  const { config, ports, instances } = deps;
  const { clock, logger } = ports;

  /** Nobody can use it: its sandbox fails now and not at its deadline. */
  async function abandon(record: InstanceRecord, error: unknown): Promise<void> {
    logger.error("instance cannot be launched", { instance: record.id, error });
    const sandbox = record.sandboxId === null ? undefined : await ports.sandboxes.get(record.sandboxId);
    if (sandbox !== undefined && isRestarting(sandbox)) return settleStopped(deps, ender, sandbox.id, record.id);
    if (record.sandboxId !== null) await ender.end(record.sandboxId, "create_failed");
    await instances.end(record.id);
  }

  async function note(record: InstanceRecord, launched: Launched): Promise<void> {
    for (let current = record; ; ) {
      const { providerId, enforced } = launched;
      const next = { ...current, providerId, enforced, version: current.version + 1 };
      if ((await ports.instances.replace(next)) === "written") return;
      const fresh = await ports.instances.get(record.id);
      if (fresh === undefined || fresh.state === "stopping") {
        return ports.compute.stop(record.id, { keepDisk: await keepsDiskOf(ports, record) });
      }
      current = fresh;
    }
  }

  async function launchRecord(record: InstanceRecord, template: TemplateRecord | undefined): Promise<void> {
    try {
      if (template === undefined) throw new BulkheadError("TEMPLATE_NOT_FOUND", "The template is gone.");
      const { resources, diskId } = record;
      const disk = diskId === null ? {} : { diskId };
      await note(record, await ports.compute.launch({ instanceId: record.id, template, resources, ...disk }));
    } catch (thrown) {
      if (thrown instanceof BulkheadError && !thrown.retryable) return abandon(record, thrown);
      throw thrown;
    }
  }

  async function launch(instanceId: string): Promise<void> {
    const record = await ports.instances.get(instanceId);
    if (record === undefined || !isWanted(record)) return;
    await launchRecord(record, await ports.templates.get(record.templateName));
  }

  async function add(wanted: InstanceRecord): Promise<boolean> {
    const place = await ports.admission.admit(longestLineMs);
    if (!("waitMs" in place)) return false;
    if (place.waitMs > 0) await clock.sleep(place.waitMs);
    if ((await ports.instances.insert(wanted)) === "lost") return true;
    await launch(wanted.id);
    return true;
  }

  /** Launches that fail are counted: they must not keep the others from being tried. */
  async function tryEach<T>(items: readonly T[], act: (item: T) => Promise<boolean>): Promise<[number, number]> {
    let done = 0;
    let failures = 0;
    await each(items, width, async (item) => {
      try {
        if (await act(item)) done += 1;
      } catch (error) {
        failures += 1;
        logger.warn("launch failed, tried again with the next look", { error });
      }
    });
    return [done, failures];
  }

  return {
    launch,
    async replace({ id, templateName }) {
      const size = config.pool[templateName] ?? 0;
      const template = await ports.templates.get(templateName);
      if (template?.status !== "active") return;
      if ((await ports.instances.listWarm(templateName, size)).length >= size) return;
      await add({ ...instances.draft(template, null), id: successorOf(id) });
    },
    async keep() {
      const now = clock.now();
      const warm: Record<string, number> = {};
      const starting: InstanceRecord[] = [];
      for await (const record of ports.instances.listAll()) {
        if (record.state === "warm") warm[record.templateName] = (warm[record.templateName] ?? 0) + 1;
        if (record.state === "starting") starting.push(record);
      }
      const wanted: InstanceRecord[] = [];
      for (const [name, size] of Object.entries(config.pool)) {
        const template = await ports.templates.get(name);
        const coming = starting.filter((record) => record.templateName === name && record.sandboxId === null).length;
        const missing = template?.status === "active" ? size - (warm[name] ?? 0) - coming : 0;
        for (let index = 0; index < missing && template !== undefined; index += 1) {
          wanted.push(instances.draft(template, null));
        }
      }
      const lost = starting.filter((record) => isWanted(record) && record.createdAt + lostAfterMs <= now);
      const [, repeatFailures] = await tryEach(lost, (record) => launch(record.id).then(() => true));
      const [launched, failures] = await tryEach(wanted, add);
      return { warm, launched, missing: wanted.length - launched, failures: failures + repeatFailures };
    },
  };
}

function isWanted(record: InstanceRecord): boolean {
  return record.state === "starting" && record.providerId === null;
}

/** An instance id that follows from another one. */
function successorOf(instanceId: string): string {
  const digest = createHash("sha256").update(instanceId).digest("hex");
  return `i${BigInt(`0x${digest}`).toString(36).padStart(16, "0").slice(0, 16)}`;
}
