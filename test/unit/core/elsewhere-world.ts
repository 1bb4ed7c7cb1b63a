import type { PlatformConfig } from "#core/config.ts";
import type { LaunchAdmission } from "#core/ports.ts";
import { makeWorld, type World } from "./world.ts";

export { outcomeOf } from "./world.ts";

export interface ElsewhereWorld extends World {
  /** What admission answers. */
  line: Awaited<ReturnType<LaunchAdmission["admit"]>>;
  /** Instances that are asked for and not launched. */
  wanted(): Promise<string[]>;
}

/**
 * A platform as on AWS: instances are launched by whoever hears of their records through the table's stream, and placed half a
 * minute later, of which the provider tells.
 * @param options.stream false: nobody hears of the records
 */
export async function makeElsewhereWorld(
  config: Partial<PlatformConfig> = {},
  options: { readonly stream?: boolean } = {},
): Promise<ElsewhereWorld> {
  const line: { now: ElsewhereWorld["line"] } = { now: { waitMs: 0 } };
  const base = await makeWorld(
    { launching: "elsewhere", instanceStartMs: 300_000, ...config },
    {
      ports: (ports) => ({ ...ports, admission: { admit: () => Promise.resolve(line.now) } }),
      heard: (event) => {
        if (options.stream === false) return;
        const { launcher } = base.platform;
        const told = "claimed" in event ? launcher.replace(event.claimed) : launcher.launch(event.inserted.id);
        told.catch(() => {});
      },
    },
  );
  base.compute.placedAfterMs = 25_000;
  base.compute.onPlaced((id, endpoint) => void base.platform.instancePlaced(id, endpoint).catch(() => {}));
  const world: ElsewhereWorld = Object.assign(base, {
    line: line.now,
    async wanted() {
      const ids: string[] = [];
      for await (const record of base.stores.instances.listAll()) {
        if (record.state === "starting" && record.providerId === null) ids.push(record.id);
      }
      return ids;
    },
  });
  Object.defineProperty(world, "line", {
    set: (next: ElsewhereWorld["line"]) => {
      line.now = next;
    },
    get: () => line.now,
  });
  return world;
}
