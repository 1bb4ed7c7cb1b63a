import type { Logger } from "#telemetry/logger.ts";
import type { Audit } from "./audit.ts";
import type { PlatformConfig } from "./config.ts";
import type { Instances } from "./instances.ts";
import type { WarmPool } from "./pool.ts";
import type {
  AgentPort,
  AuditLog,
  Clock,
  Compute,
  Events,
  InstanceStore,
  KeyStore,
  LaunchAdmission,
  SandboxStore,
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
  readonly compute: Compute;
  readonly agent: AgentPort;
  readonly signer: TokenSigner;
  readonly vault: Vault;
  readonly admission: LaunchAdmission;
  readonly events: Events;
  readonly clock: Clock;
  readonly logger: Logger;
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
