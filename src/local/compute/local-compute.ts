import { readdir } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import type { InstanceTruth, Launched, LaunchRequest } from "#core/ports.ts";
import { checkRoom, readHostRoom } from "./capacity.ts";
import type { Entry, State } from "./compute-state.ts";
import { requireEnforced } from "./enforcement.ts";
import { exitOf } from "./exit-cause.ts";
import { type InstancePlan, type RunningInstance, startInstance } from "./instance.ts";
import { awaitShelved, end, removeDisk, stop } from "./stopping.ts";
import type { LocalCompute, LocalComputeDeps } from "./types.ts";
import { makeParts, type Prepared, prepareWorkshop, removeWorkshop } from "./workshop.ts";

function prepared(state: State): Promise<Prepared> {
  if (state.preparing === null) {
    state.preparing = prepareWorkshop(state.deps, state.parts);
    state.preparing.catch(() => {
      state.preparing = null;
    });
  }
  return state.preparing;
}

/** Refusals come before anything is made. */
async function planOf({ deps, parts, entries }: State, request: LaunchRequest): Promise<InstancePlan> {
  requireEnforced(parts.enforced, deps.allowUnenforced);
  const template = deps.templates(request.template.name);
  if (template === undefined) {
    const message = `Template ${request.template.name} is not prepared on this host yet. Try again in a moment.`;
    throw new BulkheadError("SERVICE_UNAVAILABLE", message);
  }
  checkRoom(await readHostRoom(deps.dataDir), entries.size - 1, deps.limits);
  return { request, template, enforced: parts.enforced };
}

async function startOne(state: State, request: LaunchRequest): Promise<RunningInstance> {
  try {
    const { workshop } = await prepared(state);
    // A sandbox may be started again while its last instance is still being ended.
    if (request.diskId !== undefined) await awaitShelved(state, request.diskId);
    return await startInstance(workshop, await planOf(state, request));
  } catch (cause) {
    if (cause instanceof BulkheadError) throw cause;
    state.deps.logger.error("cannot start an instance", { instance_id: request.instanceId, error: cause });
    const message = "The host could not start the sandbox. Try again; if it persists, run `bulkhead doctor`.";
    throw new BulkheadError("SERVICE_UNAVAILABLE", message, { cause });
  }
}

/** Tells of an end that nobody asked for, then removes what it leaves. */
function watch(state: State, id: string, entry: Entry, running: RunningInstance): void {
  void running.jail.exited.then((exit) => {
    if (entry.ending !== null) return;
    const told = exitOf(id, exit, state.parts.cgroups.oomKills(id));
    state.deps.logger.info("instance ended", { instance_id: id, cause: told.cause, detail: told.message });
    end(state, id, entry, running);
    for (const listener of state.listeners) listener(told);
  });
}

function begin(state: State, request: LaunchRequest): Entry {
  const id = request.instanceId;
  const entry: Entry = { started: startOne(state, request), running: null, ending: null };
  state.entries.set(id, entry);
  entry.started.then(
    (running) => {
      entry.running = running;
      watch(state, id, entry, running);
    },
    () => state.entries.delete(id),
  );
  return entry;
}

async function launch(state: State, request: LaunchRequest): Promise<Launched> {
  if (state.closed) throw new BulkheadError("SERVICE_UNAVAILABLE", "The platform is shutting down.");
  const entry = state.entries.get(request.instanceId) ?? begin(state, request);
  return (await entry.started).launched;
}

function truthOf(instanceId: string, { running, ending }: Entry): InstanceTruth {
  const providerId = running?.launched.providerId ?? "local-starting";
  if (ending !== null) return { instanceId, providerId, state: "gone", endpoint: null };
  const endpoint = running?.launched.endpoint ?? null;
  return { instanceId, providerId, state: running === null ? "starting" : "running", endpoint };
}

async function list({ deps, parts, entries }: State): Promise<readonly InstanceTruth[]> {
  const directories = await readdir(`${deps.runDir}/i`).catch(() => []);
  const images = (await parts.disks?.list()) ?? [];
  const found = new Set([...parts.cgroups.list(), ...directories, ...images]);
  const live = [...entries].map(([id, entry]) => truthOf(id, entry));
  const left = [...found].filter((id) => !entries.has(id));
  const gone = { providerId: "local-left-over", state: "gone", endpoint: null } as const;
  return [...live, ...left.map((instanceId) => ({ instanceId, ...gone }))];
}

async function closeAll(state: State): Promise<void> {
  const { deps, parts, entries } = state;
  state.closed = true;
  await Promise.all([...entries.keys()].map((id) => stop(state, id)));
  for (const diskId of parts.shelf.list()) await removeDisk(state, diskId);
  if (state.preparing === null) return;
  await state.preparing.catch(() => null);
  await parts.cgroups.close();
  await removeWorkshop(deps);
}

/** Instances as Linux namespaces on this machine. */
export function makeLocalCompute(deps: LocalComputeDeps): LocalCompute {
  const state: State = {
    ...{ deps, parts: makeParts(deps), entries: new Map<string, Entry>(), listeners: [] },
    preparing: null,
    closed: false,
  };
  return {
    launch: (request) => launch(state, request),
    stop: (id, options) => stop(state, id, options),
    removeDisk: (diskId) => removeDisk(state, diskId),
    listDisks: () => Promise.resolve(state.parts.shelf.list()),
    list: () => list(state),
    start: async () => (await prepared(state)).leftovers,
    async describe(id) {
      const entry = state.entries.get(id);
      if (entry !== undefined) return truthOf(id, entry);
      return (await list(state)).find(({ instanceId }) => instanceId === id);
    },
    onExit(listener) {
      state.listeners.push(listener);
    },
    closeAll: () => closeAll(state),
  };
}
