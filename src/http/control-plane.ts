import type { KeyService } from "#core/keys.ts";
import type { TemplateStore } from "#core/ports.ts";
import type { SandboxService } from "#core/sandboxes.ts";

/** What the control plane's routes call: a part of the core's `Platform`, so that tests can pass a fake. */
export interface ControlPlane {
  readonly keys: Pick<KeyService, "authenticate" | "create" | "list" | "revoke">;
  readonly sandboxes: Pick<
    SandboxService,
    "create" | "get" | "list" | "kill" | "setTimeout" | "refreshToken" | "pause" | "resume" | "stop" | "start"
  >;
  readonly templates: Pick<TemplateStore, "get" | "list">;
}
