import { arch, platform } from "node:os";
import type { HealthResponse, InfoResponse, PingResponse } from "#contracts/agent/info.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "./clock.ts";
import type { AgentSettings } from "./environment.ts";
import type { Programs } from "./exec/programs.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { egressTarget } from "./relay.ts";
import type { Route } from "./router.ts";
import { agentName, agentVersion } from "./version.ts";

export interface InfoOptions {
  readonly settings: AgentSettings;
  readonly lifecycle: Lifecycle;
  readonly programs: Pick<Programs, "find">;
  readonly clock: AgentClock;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Open WebSockets. */
  readonly sockets: { readonly count: number };
}

/** For people: "3m20s". */
export function uptimeText(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first < 0 ? 2 : first)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join("");
}

const endpoints = {
  health: "/health",
  info: "/info",
  ping: "/ping",
  system: "/system",
  processes: "/processes",
  execute: "/execute",
  commands_run: "/commands/run",
  env: "/env",
  files_read: "/files/read",
  files_write: "/files/write",
  files_list: "/files/list",
  files_exists: "/files/exists",
  files_remove: "/files/remove",
  files_mkdir: "/files/mkdir",
  files_upload: "/files/upload",
  files_download: "/files/download",
  files_watch: "/files/watch",
  execute_ipython: "/execute/ipython",
  execute_async: "/execute/async",
  execute_background: "/execute/background",
  execute_processes: "/execute/processes",
  execute_kill: "/execute/kill",
  execute_stream: "/execute/stream",
  commands_background: "/commands/background",
  commands_stream: "/commands/stream",
  terminal: "/terminal",
  metrics: "/metrics/snapshot",
  cache: "/cache/stats",
  jupyter_sessions: "/jupyter/sessions",
};

/** Of this sandbox: callbacks need a way out, cells need Python. */
function featuresOf({ settings, lifecycle, programs }: InfoOptions): Record<string, boolean> {
  const wayOut = egressTarget(settings) !== undefined && lifecycle.sandbox()?.internet_access !== false;
  const own = {
    ...{ code_execution: true, commands: true, files: true, env: true, background: true, callbacks: wayOut },
    ...{ streaming: true, terminal: true, file_watch: true, metrics: true, pause: true, desktop: false },
    ipython: programs.find("python") !== undefined,
  };
  return { ...own, ...Object.fromEntries(settings.features.map((name) => [name.replaceAll("-", "_"), true])) };
}

export function infoRoutes(options: InfoOptions): Route[] {
  const { settings, lifecycle, clock, startedAt, sockets } = options;
  const id = () => lifecycle.sandbox()?.sandbox_id ?? settings.BULKHEAD_INSTANCE_ID;
  const uptime = () => {
    const seconds = (clock.now() - startedAt) / 1000;
    return { uptime: uptimeText(seconds), uptime_seconds: seconds };
  };
  const health = (): HealthResponse => ({
    status: "healthy",
    agent: agentName,
    version: agentVersion,
    ...uptime(),
    go_version: process.version,
    vm_id: id(),
    features: featuresOf(options),
    active_streams: sockets.count,
    active_executions: lifecycle.state().active_executions,
  });
  const info = (): InfoResponse => ({
    vm_id: id(),
    agent: agentName,
    agent_version: agentVersion,
    version: agentVersion,
    os: platform(),
    arch: arch(),
    platform: `${platform()}/${arch()}`,
    ip: "127.0.0.1",
    vm_ip: "127.0.0.1",
    port: String(settings.BULKHEAD_AGENT_PORT),
    vm_port: String(settings.BULKHEAD_AGENT_PORT),
    start_time: toRfc3339(startedAt),
    ...uptime(),
    endpoints,
    features: featuresOf(options),
    template: settings.BULKHEAD_TEMPLATE,
    internet_access: lifecycle.sandbox()?.internet_access ?? false,
  });
  const ping = (): PingResponse => ({ status: "ok", message: "pong", timestamp: toRfc3339(clock.now()) });
  return [
    { method: "GET", path: "/", handle: (request) => request.send(200, { name: agentName, version: agentVersion }) },
    { method: "GET", path: "/health", handle: (request) => request.send(200, health()) },
    { method: "GET", path: "/info", handle: (request) => request.send(200, info()) },
    { method: "GET", path: "/ping", handle: (request) => request.send(200, ping()) },
  ];
}
