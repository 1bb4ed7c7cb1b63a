import type { AlertService } from "#core/alerts/alert-service.ts";
import type { Audit } from "#core/audit.ts";
import type { AuditService } from "#core/audit-chain/audit-service.ts";
import type { EgressService } from "#core/egress-records.ts";
import type { EvidenceService } from "#core/evidence/evidence.ts";
import type { KeyService } from "#core/keys.ts";
import type { TemplateStore } from "#core/ports.ts";
import type { QuarantineService } from "#core/quarantine/quarantine.ts";
import type { SandboxService } from "#core/sandboxes.ts";
import type { SecretService } from "#core/secrets.ts";

/** What the control plane's routes call: a part of the core's `Platform`, so that tests can pass a fake. */
export interface ControlPlane {
  readonly audit: Pick<Audit, "note">;
  readonly auditRecord: AuditService;
  readonly alerts: AlertService;
  readonly keys: Pick<KeyService, "authenticate" | "create" | "list" | "rotate" | "revoke">;
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
  readonly quarantine: Pick<QuarantineService, "quarantine" | "release">;
  readonly evidence: EvidenceService;
  readonly egress: EgressService;
  readonly secrets: SecretService;
  readonly templates: Pick<TemplateStore, "get" | "list">;
}
