import type { Audit } from "#core/audit.ts";
import type { AuditService } from "#core/audit-chain/audit-service.ts";
import type { EgressService } from "#core/egress-records.ts";
import type { KeyService } from "#core/keys.ts";
import type { TemplateStore } from "#core/ports.ts";
import type { SandboxService } from "#core/sandboxes.ts";
import type { SecretService } from "#core/secrets.ts";

/** What the control plane's routes call: a part of the core's `Platform`, so that tests can pass a fake. */
export interface ControlPlane {
  readonly audit: Pick<Audit, "note">;
  readonly auditRecord: AuditService;
  readonly keys: Pick<KeyService, "authenticate" | "create" | "list" | "revoke">;
  readonly sandboxes: Pick<
    SandboxService,
    | "create"
    | "get"
    | "list"
    | "kill"
    | "setTimeout"
    | "setNetwork"
    | "refreshToken"
    | "pause"
    | "resume"
    | "stop"
    | "start"
  >;
  readonly egress: EgressService;
  readonly secrets: SecretService;
  readonly templates: Pick<TemplateStore, "get" | "list">;
}
