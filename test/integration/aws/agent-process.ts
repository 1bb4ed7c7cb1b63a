import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The bundled agent as its container starts it, without the container: what a task of moto would have run. */
export interface AgentProcess {
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export async function startAgent(instanceId: string, port: number): Promise<AgentProcess> {
  const root = await mkdtemp(join(tmpdir(), "bulkhead-agent-"));
  const child: ChildProcess = spawn(process.execPath, ["dist/agent.cjs"], {
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      BULKHEAD_INSTANCE_ID: instanceId,
      BULKHEAD_TEMPLATE: "base",
      BULKHEAD_AGENT_PORT: String(port),
      BULKHEAD_AGENT_TLS: "1",
      BULKHEAD_ROOTS: JSON.stringify([root]),
      BULKHEAD_DISK_QUOTA_MB: "64",
      BULKHEAD_EGRESS_ADDRESS: "127.0.0.1:9",
      BULKHEAD_EGRESS_PORT: String(await freePort()),
      ECS_CONTAINER_METADATA_URI_V4: "http://169.254.170.2/v4/x",
    },
    stdio: "ignore",
  });
  return {
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}
