import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { z } from "zod";
import { makeInstanceId } from "#contracts/ids.ts";
import type { TemplateRecord } from "#core/model.ts";
import type { Clock, Launched, LaunchRequest } from "#core/ports.ts";
import { defaultComputeLimits } from "#local/compute/capacity.ts";
import { makeLocalCompute } from "#local/compute/local-compute.ts";
import { chooseRunDir, groupName } from "#local/compute/run-dir.ts";
import type { LocalCompute, LocalComputeDeps } from "#local/compute/types.ts";
import type { HostFacts } from "#local/probe/facts.ts";
import { hostActions } from "#local/probe/host-actions.ts";
import { probeHost } from "#local/probe/probe.ts";
import { type Logger, noopLogger } from "#telemetry/logger.ts";

/** Bundles the stand-in as the real agent is bundled. */
function bundleAgent(directory: string): string {
  const outfile = `${directory}/agent.cjs`;
  const entryPoints = [fileURLToPath(new URL("./stand-in-agent.ts", import.meta.url))];
  buildSync({ entryPoints, outfile, bundle: true, minify: true, platform: "node", format: "cjs", logLevel: "error" });
  return outfile;
}

export const seccompDirectory = fileURLToPath(new URL("../../../src/local/seccomp", import.meta.url));

export const realClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: (bytes) => randomBytes(bytes),
};

const template: TemplateRecord = {
  ...{ id: "1", name: "base", displayName: "Base", description: "", category: "development", language: "python" },
  ...{ status: "active", problem: null, features: [], tags: [], createdAt: 0, updatedAt: 0 },
  ...{ idleTimeoutSeconds: null, maxLifetimeSeconds: null, network: null },
  resources: { vcpu: 1, memory_mb: 256, disk_mb: 64 },
};

export function aRequest(resources: Partial<LaunchRequest["resources"]> = {}): LaunchRequest {
  return { instanceId: makeInstanceId(realClock), template, resources: { ...template.resources, ...resources } };
}

/** An egress proxy's socket that nobody answers on. */
async function openEgress(_id: string, path: string): Promise<{ close(): Promise<void> }> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { close: () => new Promise((resolve) => server.close(() => resolve())) };
}

export interface TestPlatform {
  readonly compute: LocalCompute;
  readonly host: HostFacts;
  readonly dataDir: string;
  readonly runDir: string;
  readonly logs: string[];
  remove(): Promise<void>;
}

export async function aPlatform(change: Partial<LocalComputeDeps> = {}): Promise<TestPlatform> {
  const dataDir = change.dataDir ?? mkdtempSync("/tmp/bh-compute-");
  const host = change.host ?? (await probeHost(hostActions({ dataDir, seccompDirectory })));
  const runDir = chooseRunDir({ root: host.root, uid: host.uid, dataDir });
  const logs: string[] = [];
  const logger: Logger = {
    ...noopLogger,
    info: (message: string, fields?: object) => logs.push(`${message} ${JSON.stringify(fields)}`),
    error: (message: string, fields?: { error?: unknown }) =>
      logs.push(`${message} ${JSON.stringify(fields)} ${String(fields?.error)}`),
    child: () => logger,
  };
  const compute = makeLocalCompute({
    ...{
      host,
      runDir,
      dataDir,
      agentBundle: bundleAgent(dataDir),
      pythonTools: null,
      nodeBinary: process.execPath,
      esbuildBinary: null,
      ptyBinding: null,
    },
    templates: (name) => (name === "base" ? { binds: [], env: {}, features: [] } : undefined),
    ...{ openEgress, allowUnenforced: !host.root, limits: defaultComputeLimits, clock: realClock, logger },
    ...change,
  });
  return {
    ...{ compute, host, dataDir, runDir, logs },
    async remove() {
      await compute.closeAll();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** One HTTP exchange with an instance's agent. */
export function ask(launched: Launched, path: string, body = ""): Promise<string> {
  const { endpoint } = launched;
  if (endpoint?.kind !== "unix") throw new Error("no Unix endpoint");
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: endpoint.path, path, method: "POST", agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    call.on("error", reject);
    call.setTimeout(30_000, () => call.destroy(new Error("no answer")));
    call.end(body);
  });
}

const ran = z.object({ code: z.number().nullable(), out: z.string(), signal: z.string().nullish() });

/** Runs a bash script inside, as user code unless told otherwise. */
export async function runInside(
  launched: Launched,
  script: string,
  as: "user" | "agent" = "user",
): Promise<z.infer<typeof ran>> {
  return ran.parse(JSON.parse(await ask(launched, "/run", JSON.stringify({ script, as }))));
}

function marked(group: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${group}-i`);
    } catch {
      return false;
    }
  });
}

/** Everything on the host that belongs to this platform's instances. */
export function traces(platform: { readonly dataDir: string; readonly runDir: string }): readonly string[] {
  const group = groupName(platform.dataDir);
  const found = (command: string): string[] =>
    execFileSync("/bin/sh", ["-c", `${command} || true`], { encoding: "utf8" })
      .split("\n")
      .filter(Boolean);
  return [
    ...marked(group).map((pid) => `process ${pid}`),
    ...found(`grep -F '${platform.runDir}/i/' /proc/self/mountinfo`),
    ...found(`grep -lsF '${platform.dataDir}/' /sys/block/loop*/loop/backing_file`),
    ...found(`find /sys/fs/cgroup -mindepth 2 -type d -path '*${group}/*' 2>/dev/null`),
    ...found(`ls -d ${platform.runDir}/i/* ${platform.runDir}/s/* ${platform.dataDir}/disks/*.img 2>/dev/null`),
  ];
}

export async function eventually(check: () => boolean, ms = 5_000): Promise<void> {
  const until = Date.now() + ms;
  while (!check()) {
    if (Date.now() > until) throw new Error("did not happen in time");
    await realClock.sleep(10);
  }
}
