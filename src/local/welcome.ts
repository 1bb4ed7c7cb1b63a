import { relative } from "node:path";
import type { Home } from "./home.ts";
import type { HostFacts } from "./probe/facts.ts";
import type { RunningPlatform } from "./start.ts";

export interface WelcomeFacts {
  readonly platform: RunningPlatform;
  readonly home: Home;
  readonly host: HostFacts;
  readonly ms: number;
}

/** What a person sees when the platform is up: where it is, how to use it, what isolates sandboxes here. */
export function welcome({ platform, home, host, ms }: WelcomeFacts): string {
  const keyFile = relative(process.cwd(), home.apiKeyFile);
  const shown = keyFile.startsWith("..") ? home.apiKeyFile : keyFile;
  const limits = host.cgroup.kind === "none" ? "no cgroups" : `cgroup ${host.cgroup.kind}`;
  return `
Bulkhead is up (${(ms / 1000).toFixed(1)} s)

  control plane  ${platform.controlUrl}
  gateway        ${platform.gatewayUrl}
  API key        ${shown}
  isolation      ${host.identityTiers[0] ?? "none"}, ${limits}, ${host.diskTiers[0] ?? "no"} disks${host.seccompFilter === null ? "" : ", seccomp"}

  JavaScript     Sandbox.create({ template: "base", apiKey, baseURL: "${platform.controlUrl}" })
  Python         Sandbox.create(template="base", api_key=key, base_url="${platform.controlUrl}")
  curl           curl -H "X-API-Key: $(cat ${shown})" ${platform.controlUrl}/v1/sandboxes

Ctrl-C ends every sandbox.
`;
}
