import type { Logger } from "#telemetry/logger.ts";
import type { AlertStore } from "./alerts/model.ts";
import type { Signals } from "./alerts/signals.ts";
import type { Audit } from "./audit.ts";
import type { PlatformConfig } from "./config.ts";
import type { SecretMemory } from "./delivered-secrets.ts";
import type { Instances } from "./instances.ts";
import type { WarmPool } from "./pool.ts";
import type {
  AgentPort,
  AuditChain,
  AuditLog,
  Clock,
  Compute,
  EgressStore,
  Events,
  InstanceStore,
  KeyStore,
  LaunchAdmission,
  SandboxStore,
  SecretStore,
  TemplateStore,
  TokenSigner,
  Vault,
} from "./ports.ts";

/** Everything outside of the core that it works with. */
export interface PlatformPorts {
  readonly sandboxes: SandboxStore;
  readonly instances: InstanceStore;
  readonly templates: TemplateStore;
  readonly keys: KeyStore;
  readonly audit: AuditLog;
  readonly auditChain: AuditChain;
  readonly egress: EgressStore;
  readonly compute: Compute;
  readonly agent: AgentPort;
  readonly signer: TokenSigner;
  readonly vault: Vault;
  /** @default - secrets are a cloud's own store's */
  readonly secrets?: SecretStore | undefined;
  readonly admission: LaunchAdmission;
  readonly events: Events;
  /** @default - nobody listens */
  readonly signals?: Signals | undefined;
  /** @default - there are no alerts to be listed */
  readonly alerts?: AlertStore | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  /** @default - values of secrets are not known, and so not hidden in what is written */
  readonly secretValues?: SecretMemory | undefined;
}

/** What the parts of the core share. */
export interface CoreDeps {
  readonly config: PlatformConfig;
  readonly ports: PlatformPorts;
  readonly audit: Audit;
  readonly instances: Instances;
  readonly pool: WarmPool;
  /** Projects whose quota may have moved since this process started: the sweeper counts them again. */
  readonly recount: Set<string>;
}
