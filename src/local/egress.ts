import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import type { Signals } from "#core/alerts/signals.ts";
import type { SecretMemory } from "#core/delivered-secrets.ts";
import type { EgressRow } from "#core/model.ts";
import type { Clock, EgressStore, Vault } from "#core/ports.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { hideInRecord, rememberUsed } from "#egress/hidden-record.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import type { EgressIdentity, EgressRecorder, Resolver } from "#egress/ports.ts";
import { type EgressListener, makeEgressProxy } from "#egress/proxy.ts";
import { makeFileJournal } from "#egress/record/file-journal.ts";
import { makeRecorder } from "#egress/record/recorder.ts";
import { recoverJournal } from "#egress/record/recover.ts";
import { makeSecretSource } from "#egress/secret-source.ts";
import { systemHostAddresses, systemResolver } from "#egress/system-resolver.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { LocalConfig } from "./config.ts";
import { loadOrMakeAuthority } from "./egress-authority.ts";
import type { Home } from "./home.ts";

export interface LocalEgressDeps {
  readonly config: Pick<LocalConfig, "egressAllow" | "egressHosts" | "egressTrust">;
  readonly home: Home;
  readonly store: EgressStore;
  readonly vault: Pick<Vault, "resolve">;
  readonly identify: (instanceId: string) => EgressIdentity | undefined;
  readonly secretValues: SecretMemory;
  readonly signals: Signals;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The way out of this machine's sandboxes, and its record. */
export interface LocalEgress {
  /** The CA that instances trust, PEM. */
  readonly caPem: string;
  /** Opens an instance's socket. */
  open(instanceId: string, socketPath: string): Promise<{ close(): Promise<void> }>;
  /** What an instance's sandbox may reach has changed. */
  reconsider(instanceId: string): void;
  /** Ships what is recorded. To be called when no instance is left. */
  close(): Promise<void>;
}

export async function openLocalEgress(deps: LocalEgressDeps): Promise<LocalEgress> {
  const { config, home, store, secretValues, clock, logger } = deps;
  const journal = { path: join(home.logsDir, "egress.jsonl"), logger };
  await recoverJournal({ ...journal, store });
  const recorded = makeRecorder({ journal: makeFileJournal(journal), store, clock, logger });
  const recorder = hideInRecord(withSignals(recorded, deps.signals), secretValues);
  const certificates = makeCertificates({ authority: loadOrMakeAuthority({ ...home.egressAuthority, clock }), clock });
  const proxy = makeEgressProxy({
    resolver: withHosts(systemResolver, config.egressHosts),
    floor: makePublicOnlyPolicy({ hostAddresses: systemHostAddresses, allowAddresses: config.egressAllow }),
    recorder,
    certificates,
    secrets: rememberUsed(
      makeSecretSource((projectId, references) => deps.vault.resolve(projectId, references)),
      secretValues,
    ),
    trusted: await trustedBy(config.egressTrust),
    clock,
    logger,
  });
  const listeners = new Map<string, EgressListener>();
  return {
    caPem: certificates.caPem,
    async open(instanceId, socketPath) {
      const listener = await proxy.listen(socketPath, instanceId, () => deps.identify(instanceId));
      listeners.set(instanceId, listener);
      return {
        async close() {
          listeners.delete(instanceId);
          await listener.close();
        },
      };
    },
    reconsider: (instanceId) => listeners.get(instanceId)?.reconsider(),
    close: () => recorder.close(),
  };
}

/** What is refused is told as well. */
function withSignals<R extends EgressRecorder>(recorder: R, signals: Signals): R {
  return {
    ...recorder,
    record(row: EgressRow) {
      recorder.record(row);
      const { decision, projectId, sandboxId, host } = row;
      if (decision === "deny" && projectId !== null && sandboxId !== null)
        signals.raise({ type: "egress.denied", projectId, sandboxId, host });
    },
  };
}

/** Names of the operator's own first. */
function withHosts(resolver: Resolver, hosts: ReadonlyMap<string, string>): Resolver {
  return {
    lookupAll(host) {
      const address = hosts.get(host);
      return address === undefined ? resolver.lookupAll(host) : Promise.resolve([address]);
    },
  };
}

/** @throws Error for a file that cannot be read */
async function trustedBy(file: string | null): Promise<readonly string[] | undefined> {
  return file === null ? undefined : [...rootCertificates, await readFile(file, "utf8")];
}
