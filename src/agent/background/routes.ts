import type { Language } from "#contracts/agent/languages.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import { signalProcess } from "../exec/kill-run.ts";
import type { RunCode } from "../exec/languages.ts";
import { type PrepareOptions, prepareCode, prepareCommand } from "../exec/prepare.ts";
import type { Runner } from "../exec/run.ts";
import type { Processes } from "../freeze/processes.ts";
import type { Lifecycle } from "../lifecycle.ts";
import type { AgentRequest, Route } from "../router.ts";
import type { BackgroundEntry } from "./entry.ts";
import { detailOf, viewOf } from "./entry.ts";
import { parseBackground, parseBackgroundCommand } from "./parse.ts";
import type { Registry } from "./registry.ts";

export interface BackgroundOptions extends PrepareOptions {
  readonly registry: Registry;
  readonly run: Runner;
  readonly languages: Readonly<Record<Language, RunCode>>;
  readonly lifecycle: Pick<Lifecycle, "env" | "requireAwake">;
  readonly processes: Pick<Processes, "list">;
  readonly clock: AgentClock;
}

const longestCommand = 500;

/** What Python writes can be read while it runs, and is not lost when it is killed. */
export function readableSoon<Options extends PrepareOptions>(options: Options): Options {
  return { ...options, baseEnv: { PYTHONUNBUFFERED: "1", ...options.baseEnv } };
}

function started(entry: BackgroundEntry, clock: AgentClock) {
  const { process_id, execution_id, status, start_time, name, pid } = viewOf(entry, clock.now());
  return { process_id, execution_id, status, start_time, name, pid, message: "Started in the background." };
}

async function code(options: BackgroundOptions, request: AgentRequest): Promise<void> {
  const asked = parseBackground(await request.json());
  options.lifecycle.requireAwake();
  const { language, request: run } = prepareCode(readableSoon(options), asked);
  const labels = { name: asked.name || language, language, command: language };
  const { registry, languages } = options;
  const { entry } = await registry.start(labels, (follow) => languages[language]({ ...run, ...follow }));
  request.send(200, started(entry, options.clock));
}

/** `stdout`, `stderr` and `exit_code` are for callers who read the answer as that of a command that has ended. */
async function command(options: BackgroundOptions, request: AgentRequest): Promise<void> {
  const asked = parseBackgroundCommand(await request.json());
  options.lifecycle.requireAwake();
  const prepared = prepareCommand(readableSoon(options), asked);
  const timeoutMs = asked.timeout === 0 ? Number.POSITIVE_INFINITY : prepared.timeoutMs;
  const line = [asked.command, ...asked.args].join(" ").slice(0, longestCommand);
  const labels = { name: asked.name || asked.command.slice(0, 200), language: "", command: line };
  const { entry } = await options.registry.start(labels, (follow) =>
    options.run({ ...prepared, timeoutMs, ...follow }),
  );
  request.send(200, {
    ...{ success: true, stdout: "", stderr: "", exit_code: 0, execution_time: 0, command: asked.command },
    ...started(entry, options.clock),
    timestamp: toRfc3339(options.clock.now()),
  });
}

function notFound(id: string): BulkheadError {
  const shown = id.slice(0, 64);
  return new BulkheadError("PROCESS_NOT_FOUND", `There is no process ${shown}.`, { details: { process_id: shown } });
}

function find(registry: Registry, id: string): BackgroundEntry {
  const entry = registry.find(id);
  if (entry === undefined) throw notFound(id);
  return entry;
}

/** Background processes by any of their ids, and whatever else of the sandbox runs by its pid. */
async function kill({ registry, processes }: BackgroundOptions, request: AgentRequest, id: string): Promise<void> {
  const entry = registry.find(id);
  if (entry !== undefined) {
    const was = entry.status;
    await registry.kill(entry);
    const message = was === "running" ? "Process killed." : `Process has ended before (${was}).`;
    request.send(200, { success: true, message, process_id: entry.id });
    return;
  }
  const other = processes.list().find(({ pid }) => String(pid) === id);
  if (other === undefined) throw notFound(id);
  signalProcess(other.pid, "SIGKILL");
  request.send(200, { success: true, message: "Process killed.", process_id: id });
}

async function idInBody(request: AgentRequest): Promise<string> {
  const body = await request.json();
  const id = typeof body === "object" && body !== null && "process_id" in body ? body.process_id : undefined;
  return typeof id === "string" || typeof id === "number" ? String(id) : "";
}

async function killAsked(options: BackgroundOptions, request: AgentRequest): Promise<void> {
  const id = request.query.get("process_id") ?? (await idInBody(request));
  if (id === "") {
    throw new BulkheadError("MISSING_PARAMETER", "process_id is required.", { details: { field: "process_id" } });
  }
  await kill(options, request, id);
}

/** The part of the path that a prefix and a suffix leave. Ids need no encoding: what has one is no id. */
function partOf(path: string, prefix: string, suffix = ""): string {
  return path.slice(prefix.length, path.length - suffix.length);
}

export function backgroundRoutes(options: BackgroundOptions): Route[] {
  const { registry, clock } = options;
  const list = (request: AgentRequest) => {
    const processes = registry.list().map((entry) => viewOf(entry, clock.now()));
    request.send(200, { processes, count: processes.length, timestamp: toRfc3339(clock.now()) });
  };
  return [
    { method: "POST", path: "/execute/background", handle: (request) => code(options, request) },
    { method: "POST", path: "/commands/background", handle: (request) => command(options, request) },
    { method: "GET", path: "/execute/processes", handle: list },
    {
      method: "GET",
      path: "/execute/processes/*",
      handle: (request) =>
        request.send(200, detailOf(find(registry, partOf(request.path, "/execute/processes/")), clock.now())),
    },
    { method: "POST", path: "/execute/kill", handle: (request) => killAsked(options, request) },
    { method: "DELETE", path: "/execute/kill", handle: (request) => killAsked(options, request) },
    {
      method: "POST",
      path: "/execute/kill/*",
      handle: (request) => kill(options, request, partOf(request.path, "/execute/kill/")),
    },
    {
      method: "POST",
      path: "/processes/*",
      handle(request) {
        if (!request.path.endsWith("/kill")) {
          throw new BulkheadError("RESOURCE_NOT_FOUND", `No such route: ${request.path}`);
        }
        return kill(options, request, partOf(request.path, "/processes/", "/kill"));
      },
    },
  ];
}
