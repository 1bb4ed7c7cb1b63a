import { chmod, chown, mkdir, readdir, rmdir, unlink } from "node:fs/promises";
import type { Enforcement } from "#contracts/domain.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { Launched, LaunchRequest } from "#core/ports.ts";
import { type Bind, bwrapArgs, type SystemLink } from "./bwrap-args.ts";
import type { Cgroups } from "./cgroups.ts";
import type { DiskShelf } from "./disk-shelf.ts";
import type { Disks } from "./disks.ts";
import { limitWrapper } from "./enforcement.ts";
import { type Identity, type IdentityPool, insideUserId } from "./identity.ts";
import { type Jail, listenFd, startJail } from "./jail.ts";
import { killJail } from "./kill-jail.ts";
import { openListeningSocket } from "./listening-socket.ts";
import { logLines } from "./log-lines.ts";
import type { RunCommand } from "./run-command.ts";
import type { RunLayout } from "./run-dir.ts";
import { type SandboxSizes, sandboxSizes } from "./sandbox-sizes.ts";
import { caFile } from "./trusted-certificates.ts";
import type { LocalComputeDeps, PreparedTemplate } from "./types.ts";
import { begin, makeUndo, type Undo } from "./undo.ts";
import { takeWorkspace, type Workspace } from "./workspace.ts";

/** What the instances of one platform share. */
export interface Workshop {
  readonly deps: LocalComputeDeps;
  readonly run: RunCommand;
  readonly layout: RunLayout;
  /** Start of the markers in command lines. */
  readonly marker: string;
  readonly systemLinks: readonly SystemLink[];
  /** node, esbuild and the native part of terminals. */
  readonly toolBinds: readonly Bind[];
  readonly identities: IdentityPool;
  readonly cgroups: Cgroups;
  /** null: the disk is a tmpfs. */
  readonly disks: Disks | null;
  readonly shelf: DiskShelf;
  readonly expose: (source: string) => Promise<string>;
}

export interface InstancePlan {
  readonly request: LaunchRequest;
  readonly template: PreparedTemplate;
  readonly enforced: Enforcement;
}

export interface RunningInstance {
  readonly launched: Launched;
  readonly jail: Jail;
  readonly diskId: string;
  /**
   * Ends everything inside and removes all that was made, but for the disk where it is to be kept. Call once.
   * @throws BulkheadError SERVICE_UNAVAILABLE when the disk could not be kept
   */
  teardown(options: { readonly keepDisk: boolean }): Promise<void>;
}

const notKept = "The sandbox has ended, but its files could not be kept: something on the host still uses them.";
const egressInside = "/run/bulkhead/egress.sock";
const searchPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin";

function agentEnvironment(
  { caPem }: Pick<LocalComputeDeps, "caPem">,
  { request, template }: InstancePlan,
  identity: Identity,
): Record<string, string> {
  const user = String(insideUserId);
  return {
    ...{ PATH: searchPath, HOME: "/workspace", LANG: "C.UTF-8" },
    ...template.env,
    TZ: "UTC",
    BULKHEAD_AGENT_FD: String(listenFd),
    BULKHEAD_INSTANCE_ID: request.instanceId,
    BULKHEAD_TEMPLATE: request.template.name,
    BULKHEAD_EGRESS_SOCKET: egressInside,
    ...(caPem === undefined ? {} : { BULKHEAD_CA_FILE: caFile }),
    BULKHEAD_FEATURES: JSON.stringify(template.features),
    BULKHEAD_TOOLS: "/opt/bulkhead",
    ...(identity.tier === "two-uid" ? { BULKHEAD_USER_UID: user, BULKHEAD_USER_GID: user } : {}),
  };
}

/** The instance's own directory; of all sandboxes' host uids only its own may enter. */
async function makeDirectory(path: string, identity: Identity, undo: Undo): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  undo.push("remove the instance's directory", () => removeDirectory(path));
  if (identity.tier === "two-uid" && identity.byRoot) {
    await chown(path, 0, identity.agentId);
    await chmod(path, 0o710);
  }
}

/** One level only and without recursion: should the disk still be mounted, its files are not ours to delete. */
export async function removeDirectory(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    await (entry.isDirectory() ? rmdir(`${path}/${entry.name}`) : unlink(`${path}/${entry.name}`));
  }
  await rmdir(path).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  });
}

/** The egress proxy's socket; only the agent's host uid may connect. */
async function makeEgress(workshop: Workshop, id: string, path: string, identity: Identity, undo: Undo): Promise<void> {
  const egress = await workshop.deps.openEgress(id, path);
  undo.push("close the egress socket", () => egress.close());
  if (identity.tier === "two-uid" && identity.byRoot) await chown(path, identity.agentId, identity.agentId);
  await chmod(path, 0o600);
}

function beginCgroups(workshop: Workshop, plan: InstancePlan, sizes: SandboxSizes, undo: Undo): Promise<void> {
  const { cgroups, deps } = workshop;
  const { instanceId, resources } = plan.request;
  const limits = { memoryBytes: sizes.memoryBytes, vcpu: resources.vcpu, pids: deps.limits.pidsPerInstance };
  return begin(
    undo,
    "remove the cgroups",
    () => cgroups.create(instanceId, limits),
    () => cgroups.remove(instanceId),
  );
}

async function viewOptions(
  workshop: Workshop,
  plan: InstancePlan,
  identity: Identity,
  paths: { readonly mountPoint: string; readonly egress: string; readonly sizes: SandboxSizes },
): Promise<readonly string[]> {
  const { deps, layout } = workshop;
  const templateBinds = plan.template.binds.map(async ({ source, target }) => ({
    source: await workshop.expose(source),
    target,
  }));
  return bwrapArgs({
    identity,
    canDisableUserns: deps.host.bubblewrap?.disableUserns ?? false,
    systemLinks: workshop.systemLinks,
    etc: layout.etc,
    opt: layout.opt,
    binds: [
      ...workshop.toolBinds,
      ...(await Promise.all(templateBinds)),
      { source: paths.egress, target: egressInside },
    ],
    workspace: workshop.disks === null ? { tmpfsBytes: paths.sizes.workspaceBytes } : { mounted: paths.mountPoint },
    tmpBytes: paths.sizes.tmpBytes,
    shmBytes: paths.sizes.shmBytes,
    environment: agentEnvironment(deps, plan, identity),
  });
}

async function startParts(
  workshop: Workshop,
  plan: InstancePlan,
  undo: Undo,
): Promise<{ jail: Jail; socketPath: string; workspace: Workspace }> {
  const { deps, layout, cgroups } = workshop;
  const id = plan.request.instanceId;
  const sizes = sandboxSizes(plan.request.resources, workshop.disks === null ? "tmpfs" : "ext4-image");
  const directory = `${layout.instances}/${id}`;
  const workspace = takeWorkspace(workshop, plan.request, `${directory}/ws`, undo);
  const { identity, mountPoint } = workspace;
  await makeDirectory(directory, identity, undo);
  const disk = workspace.open(undo);
  const cgroup = beginCgroups(workshop, plan, sizes, undo);
  const egress = `${directory}/egress.sock`;
  await makeEgress(workshop, id, egress, identity, undo);
  const socketPath = `${layout.sockets}/${id}`;
  const socket = await openListeningSocket(socketPath);
  undo.push("remove the agent's socket", () => unlink(socketPath));
  try {
    const jail = await startJail({
      identity,
      bubblewrap: deps.host.bubblewrap?.path ?? "bwrap",
      options: await viewOptions(workshop, plan, identity, { mountPoint, egress, sizes }),
      command: ["/opt/bulkhead/bin/node", "/opt/bulkhead/agent.cjs"],
      marker: `${workshop.marker}${id}`,
      wrapper: limitWrapper(plan.enforced, { pids: deps.limits.pidsPerInstance, memoryBytes: sizes.memoryBytes }),
      listenFd: socket.fd,
      seccompFilter: deps.host.seccompFilter,
      argsFile: `${directory}/args`,
      beforeRelease: async (pid) => {
        await Promise.all([disk, cgroup.then(() => cgroups.join(id, pid))]);
      },
      run: workshop.run,
    });
    undo.push("end its processes", () => killJail(jail, () => cgroups.members(id)));
    return { jail, socketPath, workspace };
  } finally {
    socket.release();
  }
}

/** Makes disk, cgroups, sockets and namespaces of one instance. When it throws, nothing of it is left. */
export async function startInstance(workshop: Workshop, plan: InstancePlan): Promise<RunningInstance> {
  const logger = workshop.deps.logger.child({ instance_id: plan.request.instanceId });
  const undo = makeUndo(logger);
  try {
    const { jail, socketPath, workspace } = await startParts(workshop, plan, undo);
    logLines(jail.stderr, (line) => logger.info("agent", { line }));
    return {
      jail,
      launched: {
        providerId: `local-${jail.pid}`,
        endpoint: { kind: "unix", path: socketPath },
        enforced: plan.enforced,
      },
      diskId: workspace.diskId,
      async teardown({ keepDisk }) {
        workspace.keep = keepDisk;
        await undo.runAll();
        if (keepDisk && !workspace.kept()) throw new BulkheadError("SERVICE_UNAVAILABLE", notKept);
      },
    };
  } catch (error) {
    await undo.runAll();
    throw error;
  }
}
