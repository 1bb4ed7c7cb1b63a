import { describe, expect, it } from "vitest";
import { BulkheadError } from "#contracts/errors.ts";
import { endpointOf } from "#test/support/fake-compute.ts";
import { aContext, aPrincipal } from "#test/support/fixtures.ts";
import { type ElsewhereWorld, makeElsewhereWorld } from "./elsewhere-world.ts";
import { failing, makeWorld, outcomeOf, type World } from "./world.ts";

async function stoppedElsewhere(): Promise<{ world: ElsewhereWorld; id: string; disk: string }> {
  const world = await makeElsewhereWorld();
  const creating = world.create();
  await world.clock.advance(40_000);
  const { sandbox } = await creating;
  await world.platform.sandboxes.stop(aPrincipal, sandbox.id, aContext);
  return { world, id: sandbox.id, disk: sandbox.instanceId ?? "" };
}

async function sweep(world: World, everyMs = 16_000): Promise<number> {
  let leaked = 0;
  for (let lap = 0; lap < 3; lap += 1) {
    leaked += (await world.platform.sweeper.sweepOnce()).leaked;
    await world.clock.advance(everyMs);
  }
  return leaked;
}

/** Whether the files are kept, or in use by the instance that the record names. */
async function hasFiles(world: World, id: string, disk: string): Promise<boolean> {
  const { instanceId } = await world.record(id);
  const { disks, existing } = world.compute;
  return instanceId === null ? disks.has(disk) : existing.get(instanceId)?.diskId === disk;
}

describe("a start that is given up", () => {
  it.each(["instances.get", "compute.stop"])(
    "keeps the files where its instance is placed in that moment, before %s",
    async (step) => {
      const { world, id, disk } = await stoppedElsewhere();
      // It has its address, and nobody has been told.
      world.compute.placedAfterMs = null;
      const starting = outcomeOf(world.platform.sandboxes.start(aPrincipal, id, aContext));
      await world.clock.advance(5_000);
      const { instanceId } = await world.record(id);
      const placing = { now: false };
      world.faults = {
        async before(call) {
          // The last look at the record fails once, for whatever reason.
          if (call === "sandboxes.get" && !placing.now) {
            placing.now = true;
            throw new Error("throttled");
          }
          if (call !== step || world.faults.after !== undefined) return;
          world.faults.after = () => {};
          await world.platform.instancePlaced(instanceId ?? "", endpointOf(instanceId ?? ""));
        },
      };
      await world.clock.advance(1_000);
      await starting;
      world.faults = {};
      await sweep(world);
      expect(["running", "stopped"]).toContain((await world.record(id)).status);
      expect(await hasFiles(world, id, disk)).toBe(true);
    },
  );
});

describe("a stop", () => {
  it("of a sandbox whose instance has just died ends it, and does not call it stopped", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    world.faults = failing("compute.stop", new BulkheadError("CONFLICT", "its files are gone"));
    const stopping = outcomeOf(world.platform.sandboxes.stop(aPrincipal, sandbox.id, aContext));
    expect(await stopping).toEqual({ code: "SANDBOX_EXPIRED" });
    expect(await world.record(sandbox.id)).toMatchObject({ status: "deleted", endReason: "task_failed" });
  });

  it("is refused, by a word that helps, where the environment does not fit into the record", async () => {
    const world = await makeWorld();
    const { sandbox } = await world.create();
    world.agent.setEnv(sandbox.instanceId ?? "", { A: "\u0001".repeat(200_000) });
    const stopping = outcomeOf(world.platform.sandboxes.stop(aPrincipal, sandbox.id, aContext));
    expect(await stopping).toEqual({ code: "RESOURCE_LIMIT_ERROR" });
    expect(await world.record(sandbox.id)).toMatchObject({ status: "running" });
  });

  it("and a kill after it are no leak where the killer may not remove files", async () => {
    const { world, id } = await stoppedElsewhere();
    world.faults = failing("compute.removeDisk", new Error("no right"));
    await world.platform.sandboxes.kill(aPrincipal, id, aContext);
    world.faults = {};
    expect(await sweep(world, 200_000)).toBe(0);
    expect(world.compute.disks.size).toBe(0);
  });
});

describe("a pause or a resume", () => {
  it.each(["pause", "resume"] as const)(
    "that meets a stop and a start is told of the new instance: %s",
    async (verb) => {
      const world = await makeWorld();
      const { sandbox } = await world.create();
      const { sandboxes } = world.platform;
      const told: unknown[] = [];
      world.ports.events.subscribe((event) => {
        if (event.type !== "sandbox.running" && event.type !== "sandbox.resting") return;
        if (event.endpoint === null) return;
        told.push([event.record.instanceId, event.endpoint]);
      });
      if (verb === "resume") await sandboxes.pause(aPrincipal, sandbox.id, aContext);
      const met = { now: false };
      world.faults = {
        async before(call) {
          if (call !== "sandboxes.replace" || met.now) return;
          met.now = true;
          await sandboxes.stop(aPrincipal, sandbox.id, aContext);
          await sandboxes.start(aPrincipal, sandbox.id, aContext);
        },
      };
      const record = await sandboxes[verb](aPrincipal, sandbox.id, aContext);
      expect(record.instanceId).not.toBe(sandbox.instanceId);
      expect(record.status).toBe(verb === "pause" ? "paused" : "running");
      for (const [instanceId, endpoint] of told as [string, unknown][])
        expect(endpoint).toEqual(endpointOf(instanceId));
      expect(told.length).toBeGreaterThan(1);
    },
  );
});
