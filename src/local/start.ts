import { makeChainStore } from "#aws/audit-chain-store.ts";
import { makeSocketDocumentClient } from "#aws/clients.ts";
import { removeExpired } from "#aws/remove-expired.ts";
import { repairIndexes } from "#aws/repair-indexes.ts";
import { ensureTable, makeDynamoStores, type Stores } from "#aws/stores.ts";
import { makeAgentBridge } from "#bridge/agent-bridge.ts";
import { openAdmission } from "#core/admission.ts";
import { dataAudit } from "#core/audit.ts";
import { makeSecretMemory, rememberResolved, type SecretMemory } from "#core/delivered-secrets.ts";
import { makeEvents } from "#core/events.ts";
import { makePlatform, type Platform } from "#core/platform.ts";
import type { Events } from "#core/ports.ts";
import { makeUndo, type Undo } from "#core/saga.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { cacheTemplates } from "#core/template-cache.ts";
import { makeTokenVerifier } from "#core/tokens.ts";
import { makeGateway } from "#gateway/gateway.ts";
import { makeControlApp } from "#http/app.ts";
import type { CapacityFacts } from "#http/dependencies.ts";
import { nodeSourceIp } from "#http/node-source-ip.ts";
import { pathAddresses } from "#http/public-addresses.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { SecretValues } from "#telemetry/secret-values.ts";
import { type LocalAlerts, openLocalAlerts } from "./alerts.ts";
import type { Assets } from "./assets.ts";
import { type LocalAudit, openLocalAudit } from "./audit/local-audit.ts";
import { defaultComputeLimits } from "./compute/capacity.ts";
import { makeLocalCompute } from "./compute/local-compute.ts";
import { chooseRunDir } from "./compute/run-dir.ts";
import type { LocalCompute } from "./compute/types.ts";
import type { LocalConfig } from "./config.ts";
import { type LocalDatabase, openDatabase } from "./database/database.ts";
import { ensureDevelopmentKey } from "./development-key.ts";
import { type LocalEgress, openLocalEgress } from "./egress.ts";
import type { Home } from "./home.ts";
import { type LiveSandboxes, trackLiveSandboxes } from "./live-sandboxes.ts";
import type { HostFacts } from "./probe/facts.ts";
import type { Progress } from "./progress.ts";
import { makeLocalResolve } from "./secrets/resolve.ts";
import { makeLocalSecretStore } from "./secrets/secret-store.ts";
import { type Doors, makeControlServer, openDoors } from "./servers.ts";
import { makeTemplateShelf, type TemplateShelf } from "./template-shelf.ts";
import { type LocalTokenSigner, makeLocalTokenSigner } from "./token-signer.ts";
import { makeLocalVault } from "./vault.ts";

export interface StartDeps {
  readonly config: LocalConfig;
  readonly home: Home;
  readonly host: HostFacts;
  readonly assets: Assets;
  readonly xdgRuntimeDir: string | undefined;
  readonly logger: Logger;
  readonly progress: Progress;
  /** Known to the logger too. */
  readonly secretValues: SecretValues;
}

export interface RunningPlatform {
  readonly controlUrl: string;
  readonly gatewayUrl: string;
  /** Ends every sandbox and closes everything. @returns how many sandboxes were ended */
  stop(): Promise<number>;
}

const table = "bulkhead";
/** By itself: the other one is read whole at each start. */
const egressTable = "bulkhead-egress";
/** By itself as well: it is never cleared. */
const auditTable = "bulkhead-audit";
const organizationId = 1;
/** A directory that only agents write to: nobody stumbles over it in the workspace. */
const decoyPath = "/run/secrets/bulkhead-admin-key";

/** Everything of the platform on this machine, in the order it is needed. When it throws, what was opened is closed again. */
export async function startLocalPlatform(deps: StartDeps): Promise<RunningPlatform> {
  const undo = makeUndo(deps.logger);
  try {
    return await assemble(deps, undo);
  } catch (thrown) {
    await undo.run();
    throw thrown;
  }
}

interface Parts {
  readonly platform: Platform;
  readonly compute: LocalCompute;
  readonly sandboxes: LiveSandboxes;
  readonly events: Events;
  readonly tokens: LocalTokenSigner;
  readonly shelf: TemplateShelf;
  readonly egress: LocalEgress;
  readonly audit: LocalAudit;
  readonly alerts: LocalAlerts;
  readonly secretValues: SecretMemory;
  readonly database: LocalDatabase;
}

async function assemble(deps: StartDeps, undo: Undo): Promise<RunningPlatform> {
  const { config, home, progress } = deps;
  const parts = await makeParts(deps, undo);
  const { platform, compute, shelf } = parts;
  await recover(platform, compute, progress);
  let started = false;
  await shelf.open({
    codeInterpreter: config.codeInterpreter,
    // Nothing is started for a platform whose doors may not open.
    onReady: () => {
      if (started) platform.refill();
    },
  });
  // Before the doors open: whoever sees the platform answer finds the key.
  await ensureDevelopmentKey(home, platform.keys);
  const doors = await openBothDoors(deps, parts);
  undo.add("doors", () => doors.close());
  platform.start();
  started = true;
  return {
    controlUrl: `http://${config.host}:${doors.controlPort}`,
    gatewayUrl: gatewayUrl(config, doors.gatewayPort),
    stop: () => stop(parts, doors),
  };
}

async function makeParts(deps: StartDeps, undo: Undo): Promise<Parts> {
  const { config, home, logger, progress } = deps;
  const database = await openDatabase(home.databaseDir, deps.assets.databaseWorker);
  undo.add("database", () => database.close());
  const { stored, audit } = await openStores(database, deps);
  undo.add("audit record", () => audit.close());
  const stores = { ...stored, templates: cacheTemplates(stored.templates, clock) };
  const seals = makeLocalVault({ keyFile: home.vaultKeyFile });
  const secrets = makeLocalSecretStore({ directory: home.secretsDir, vault: seals, clock });
  const vault = { ...seals, resolve: makeLocalResolve({ store: secrets, logger }) };
  const events = makeEvents();
  const secretValues = makeSecretMemory(deps.secretValues, clock, events);
  const shelf = makeTemplateShelf({ store: stores.templates, home: home.root, clock, logger, progress });
  // Compute asks who owns an instance, which the platform built on compute tells.
  const live: { current: LiveSandboxes | null } = { current: null };
  const identify = (instanceId: string) => live.current?.identify(instanceId);
  const alerts = openLocalAlerts({ config, home, database, table, clock, logger });
  undo.add("alerts", () => alerts.close());
  const egress = await openLocalEgress({
    signals: alerts.signals,
    ...{ config, home, store: stored.egress, vault, identify, secretValues, clock, logger },
  });
  undo.add("egress record", () => egress.close());
  const compute = makeCompute(deps, shelf, egress);
  undo.add("instances", () => compute.closeAll());
  const tokens = makeLocalTokenSigner({ keyFile: home.signingKeyFile, clock });
  const agent = makeAgentBridge({ tls: "never", clock, logger });
  const ports = {
    ...stores,
    auditChain: audit.chain,
    signals: alerts.signals,
    alerts: alerts.store,
    compute,
    agent,
    signer: tokens.signer,
    vault: rememberResolved(vault, secretValues),
    secretValues,
    secrets,
    admission: openAdmission,
    events,
    clock,
    logger,
  };
  const platform = makePlatform(platformConfig(config), ports);
  audit.watch(alerts.signals);
  alerts.quarantineBy((...args) => platform.quarantine.quarantineBySystem(...args));
  const sandboxes = trackLiveSandboxes(events, platform.sandboxes);
  live.current = sandboxes;
  // After `live`, which has heard of it by then.
  events.subscribe((event) => {
    const instanceId = event.type === "sandbox.ended" ? event.instanceId : event.record.instanceId;
    if (instanceId !== null) egress.reconsider(instanceId);
  });
  compute.onExit((exit) => {
    platform.instanceExited(exit).catch((error: unknown) => logger.error("end of an instance not recorded", { error }));
  });
  return { platform, compute, sandboxes, events, tokens, shelf, egress, audit, alerts, secretValues, database };
}

function gatewayUrl(config: LocalConfig, port: number): string {
  return config.gatewayUrl ?? `http://${config.host}:${port}`;
}

/** The control app and the gateway, both listening. */
async function openBothDoors(deps: StartDeps, parts: Parts): Promise<Doors> {
  const { config, logger } = deps;
  const { platform } = parts;
  const gateway = makeGateway({
    directory: parts.sandboxes,
    tokens: makeTokenVerifier(parts.tokens.publicKey, () => clock.now()),
    keys: platform.keys,
    activity: platform.sandboxes,
    audit: dataAudit(platform.audit),
    clock,
    logger,
    options: { auditContent: config.auditContent },
  });
  parts.events.subscribe((event) => gateway.forget(event.type === "sandbox.ended" ? event.sandboxId : event.record.id));
  // The gateway's port is known once it listens: before that no sandbox exists whose address could be asked for.
  const addresses = { current: pathAddresses(gatewayUrl(config, config.gatewayPort)) };
  const app = makeControlApp({
    platform,
    logger,
    clock,
    secretValues: parts.secretValues,
    config: {
      organizationId,
      publicHost: (id) => addresses.current.publicHost(id),
      previewUrl: (id) => addresses.current.previewUrl(id),
      sourceIp: nodeSourceIp,
      ...(config.accountRoutes && { account: { organization: "Bulkhead", maxSandboxes: config.maxSandboxes } }),
      capacity: () => Promise.resolve(capacityOf(config)),
    },
  });
  const doors = await openDoors(config, makeControlServer(app, clock), gateway);
  addresses.current = pathAddresses(gatewayUrl(config, doors.gatewayPort));
  return doors;
}

async function openStores(
  database: LocalDatabase,
  { config, home, logger }: StartDeps,
): Promise<{ readonly stored: Stores; readonly audit: LocalAudit }> {
  const client = makeSocketDocumentClient(database.socketPath);
  await ensureTable(client, table, clock);
  // A run that was killed between an item and its index entries left them apart; everything after trusts the indexes.
  await repairIndexes(client, table);
  await ensureTable(client, egressTable, clock);
  removeExpired(client, egressTable, clock.now()).catch((error: unknown) =>
    logger.warn("old rows of the egress record are not removed", { error }),
  );
  const egressRetentionSeconds = config.egressDays * 86_400;
  await ensureTable(client, auditTable, clock);
  const audit = await openLocalAudit({
    store: makeChainStore({ client, table: auditTable, clock, logger }),
    ...{ home, clock, logger },
  });
  const options = { egressTable, egressRetentionSeconds, audit: audit.log };
  return { stored: makeDynamoStores({ client, table, clock, logger }, options), audit };
}

function makeCompute(deps: StartDeps, shelf: TemplateShelf, egress: LocalEgress): LocalCompute {
  const { config, host, home, logger } = deps;
  return makeLocalCompute({
    host,
    runDir: chooseRunDir({ root: host.root, uid: host.uid, dataDir: home.root, xdgRuntimeDir: deps.xdgRuntimeDir }),
    dataDir: home.root,
    agentBundle: deps.assets.agentBundle,
    pythonTools: deps.assets.pythonTools,
    nodeTools: deps.assets.nodeTools,
    caPem: egress.caPem,
    nodeBinary: process.execPath,
    esbuildBinary: deps.assets.esbuildBinary,
    ptyBinding: deps.assets.ptyBinding,
    templates: (name) => shelf.prepared(name),
    openEgress: (instanceId, socketPath) => egress.open(instanceId, socketPath),
    allowUnenforced: config.allowUnenforced,
    limits: { ...defaultComputeLimits, maxInstances: config.maxSandboxes },
    clock,
    logger,
  });
}

/** What a run that was killed left: processes and mounts first, then its records. */
async function recover(platform: Platform, compute: LocalCompute, progress: Progress): Promise<void> {
  const left = await compute.start();
  const ended = await platform.recover();
  const things = left.processes + left.mounts + left.cgroups + left.directories + left.images;
  if (ended + things > 0) {
    progress.done(
      `cleaned up after a run that was cut off: ${ended} sandboxes, ${things} processes, mounts, groups and files`,
    );
  }
}

async function stop(parts: Parts, doors: Doors): Promise<number> {
  await parts.shelf.close();
  const ended = await parts.platform.drain();
  await doors.close();
  await parts.compute.closeAll();
  await parts.egress.close();
  await parts.alerts.close();
  await parts.audit.close();
  await parts.database.close();
  return ended;
}

function platformConfig(config: LocalConfig): Parameters<typeof makePlatform>[0] {
  return {
    region: "local",
    idleTimeoutSeconds: config.idleTimeoutSeconds,
    maxLifetimeSeconds: config.maxLifetimeSeconds,
    network: config.network,
    keys: { maxSeconds: config.keyMaxSeconds },
    createWaitMs: config.createWaitSeconds * 1000,
    launching: "here",
    instanceStartMs: 60_000,
    createConcurrency: 6,
    quotaPerProject: config.maxSandboxes,
    pool: config.codeInterpreter ? config.pool : omit(config.pool, "code-interpreter"),
    refillConcurrency: 2,
    ...(config.decoy && { decoyPath }),
    sweepEveryMs: config.sweepSeconds * 1000,
    quarantineSeconds: config.quarantineSeconds,
    tombstoneSeconds: 86_400,
  };
}

function capacityOf({ maxSandboxes }: LocalConfig): CapacityFacts {
  const limit = {
    name: "--max-sandboxes",
    value: maxSandboxes,
    instances: maxSandboxes,
    source: "configured",
  } as const;
  return { instances: maxSandboxes, boundBy: limit.name, readAt: clock.now(), limits: [limit] };
}

function omit(sizes: Readonly<Record<string, number>>, name: string): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(sizes).filter(([key]) => key !== name));
}
