// Run as some user: one instance from launch to stop, what was seen as JSON on stdout.
import { rmSync } from "node:fs";
import { enforcementOf, requireEnforced } from "#local/compute/enforcement.ts";
import { aPlatform, aRequest, runInside, traces } from "./support.ts";

const platform = await aPlatform();
const request = aRequest();
const launched = await platform.compute.launch(request);
const script =
  "id -u; id -G; touch /workspace/a && echo wrote; kill -9 2 || echo agent is safe; unshare -Ur true || echo no namespaces";
const { out } = await runInside(
  launched,
  platform.host.identityTiers[0] === "two-uid" ? script : script.replace(/kill -9 2[^;]*;/, ""),
);
const disk = await runInside(launched, "head -c 500M /dev/zero >big; stat -c %s big; rm big");
const forks = await runInside(launched, "for i in $(seq 400); do sleep 2 & done 2>&1 | head -1");
await platform.compute.stop(request.instanceId);
let refusal = "";
try {
  requireEnforced(enforcementOf(platform.host, { enforced: () => null }), false);
} catch (error) {
  refusal = String(error);
}
await platform.compute.closeAll();
const left = traces(platform);
rmSync(platform.dataDir, { recursive: true, force: true });
process.stdout.write(
  `${JSON.stringify({ uid: process.getuid?.(), enforced: launched.enforced, out, disk: disk.out, forks: forks.out, refusal, left })}\n`,
);
