import { readdir, unlink } from "node:fs/promises";
import { BulkheadError } from "#contracts/errors.ts";
import type { InstanceExit, InstanceTruth, Launched, LaunchRequest } from "#core/ports.ts";
import { checkRoom, readHostRoom } from "./capacity.ts";
import { requireEnforced } from "./enforcement.ts";
import { exitOf } from "./exit-cause.ts";
import { type InstancePlan, type RunningInstance, removeDirectory, startInstance } from "./instance.ts";
import type { LocalCompute, LocalComputeDeps } from "./types.ts";
import { makeParts, type Parts, type Prepared, prepareWorkshop, removeWorkshop } from "./workshop.ts";

interface Entry {
  readonly started: Promise<RunningInstance>;
  running: RunningInstance | null;
  /** Set once its end has begun. */
  ending: Promise<void> | null;
}

interface State {
  readonly deps: LocalComputeDeps;
  readonly parts: Parts;
  readonly entries: Map<string, Entry>;
  readonly listeners: ((exit: InstanceExit) => void)[];
  /** null before the first use, and again after it failed. */
  preparing: Promise<Prepared> | null;
  closed: boolean;
}

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
    return await startInstance(workshop, await planOf(state, request));
  } catch (cause) {
    if (cause instanceof BulkheadError) throw cause;
    state.deps.logger.error("cannot start an instance", { instance_id: request.instanceId, error: cause });
    const message = "The host could not start the sandbox. Try again; if it persists, run `bulkhead doctor`.";
    throw new BulkheadError("SERVICE_UNAVAILABLE", message, { cause });
  }
}

function end({ entries }: State, id: string, entry: Entry, running: RunningInstance): Promise<void> {
  entry.ending ??= running.teardown().finally(() => entries.delete(id));
  return entry.ending;
}

/** Tells of an end that nobody asked for, then removes what it leaves. */
function watch(state: State, id: string, entry: Entry, running: RunningInstance): void {
  void running.jail.exited.then((exit) => {
    if (entry.ending !== null) return;
    const told = exitOf(id, exit, state.parts.cgroups.oomKills(id));
    state.deps.logger.info("instance ended", { instance_id: id, cause: told.cause, detail: told.message });
    void end(state, id, entry, running);
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

/** Ends what has no entry: parts whose removal failed once. */
async function stopLeftover(state: State, id: string): Promise<void> {
  if (state.preparing === null) return;
  const { cgroups, disks, layout } = (await state.preparing).workshop;
  await cgroups.remove(id);
  const directory = `${layout.instances}/${id}`;
  await disks?.remove(id, `${directory}/ws`);
  await unlink(`${layout.sockets}/${id}`).catch(() => {});
  await removeDirectory(directory);
}

async function stop(state: State, id: string): Promise<void> {
  const entry = state.entries.get(id);
  if (entry === undefined) {
    await stopLeftover(state, id);
    return;
  }
  const running = await entry.started.catch(() => null);
  if (running !== null) await end(state, id, entry, running);
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
    stop: (id) => stop(state, id),
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
