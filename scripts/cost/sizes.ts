import { fargateTemplates } from "../../lambdas/bootstrap/templates.ts";
import type { SandboxSize } from "./sandbox-price.ts";

/** What the templates of a deployment are given. */
export function sandboxSizes(): readonly SandboxSize[] {
  return fargateTemplates(0).map(({ name, resources }) => ({
    template: name,
    vcpu: resources.vcpu,
    memoryMb: resources.memory_mb,
  }));
}
