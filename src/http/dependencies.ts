import type { CapacityAnswer } from "#contracts/control/capacity.ts";
import type { SecretMemory } from "#core/delivered-secrets.ts";
import type { Principal } from "#core/model.ts";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { ControlPlane } from "./control-plane.ts";

/** How many instances there is room for at once: the least of all limits. */
export interface CapacityFacts {
  readonly instances: number;
  readonly boundBy: string;
  /** Epoch milliseconds. */
  readonly readAt: number;
  readonly limits: readonly CapacityAnswer["limits"][number][];
}

/** What an account is in a deployment that serves the account routes. */
export interface AccountFacts {
  /** Name of the one organization. */
  readonly organization: string;
  /** Of one project, at once. */
  readonly maxSandboxes: number;
}

export interface ControlConfig {
  /** Integer on sandboxes, its digits on templates (contract rule 9). */
  readonly organizationId: number;
  /** Address of a sandbox's agent, as clients shall use it. */
  publicHost(sandboxId: string): string;
  /** Shown to people. @default publicHost */
  readonly directUrl?: (sandboxId: string) => string;
  /** Shown to people: where the sandbox's own ports are found. @default publicHost */
  readonly previewUrl?: (sandboxId: string) => string;
  /** The caller's address from what the server passes as bindings (`c.env`); the way differs from server to server. @default unknown */
  readonly sourceIp?: (bindings: unknown) => string | null;
  /** Serves `/auth/*` beside the keys, for the `hopx` command line. @default - not served */
  readonly account?: AccountFacts;
  /** Whether a provider charges for every instance there is. @default false */
  readonly billed?: boolean;
  /** Limits as they were last read; undefined while nobody has. @default - never known */
  readonly capacity?: () => Promise<CapacityFacts | undefined>;
  /**
   * Who the server in front of the app has let in already, from its bindings; undefined: nobody, the request's API key decides.
   * @default - the API key decides
   */
  readonly principal?: (bindings: unknown) => Principal | undefined;
}

export interface ControlDependencies {
  readonly platform: ControlPlane;
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now" | "random">;
  /** Takes values of the caller's project out of errors. @default - none are known */
  readonly secretValues?: Pick<SecretMemory, "hide"> | undefined;
  readonly config: ControlConfig;
}
