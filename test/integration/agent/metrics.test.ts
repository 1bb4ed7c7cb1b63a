import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { infoResponseSchema } from "#contracts/agent/info.ts";
import { cacheStatsSchema, metricsResponseSchema } from "#contracts/agent/metrics.ts";
import { type AgentProcess, startAgent } from "./agent-process.ts";

let agent: AgentProcess;

beforeAll(async () => {
  agent = await startAgent();
  mkdirSync(join(agent.directory, "tools/bin"), { recursive: true });
  const esbuild = join(import.meta.dirname, "../../../node_modules/.bin/esbuild");
  symlinkSync(esbuild, join(agent.directory, "tools/bin/esbuild"));
});
afterAll(() => agent.stop());

async function figures(path = "/metrics/snapshot") {
  return metricsResponseSchema.strict().parse((await agent.ask("GET", path)).body);
}

async function typescript(code: string) {
  const body = { code, language: "typescript", workdir: agent.directory };
  expect((await agent.ask("POST", "/execute", body)).body).toMatchObject({ exit_code: 0, stdout: "42\n" });
}

describe("the agent's figures", () => {
  it("tell of requests by route, of errors, and of what the sandbox uses", async () => {
    await agent.ask("POST", "/commands/run", { command: "true", workdir: agent.directory });
    await agent.ask("GET", "/files/read?path=/nowhere/a");
    await agent.ask("GET", `/no/such/route/${Math.random()}`);
    const seen = await figures();
    expect(seen.requests_total["POST /commands/run"]).toBe(1);
    expect(seen.errors_total["GET /files/read"]).toBe(1);
    expect(seen.requests_total["GET (none)"]).toBe(1);
    expect(seen).toMatchObject({ total_executions: 1, total_errors: 2, error_count: 2, active_streams: 0 });
    expect(seen.system.memory.total_mb).toBeGreaterThan(0);
    expect(seen.system.disk.total_mb).toBeGreaterThan(0);
    expect((await figures("/metrics")).total_requests).toBeGreaterThan(seen.total_requests);
  });

  it("are there for Prometheus", async () => {
    const { text, headers } = await agent.ask("GET", "/metrics/prometheus");
    expect(headers["content-type"]).toContain("text/plain");
    expect(text).toMatch(/^# HELP bulkhead_agent_uptime_seconds .+\n# TYPE bulkhead_agent_uptime_seconds gauge\n/);
    expect(text).toContain('bulkhead_agent_requests_total{route="POST /commands/run"} 1\n');
    expect(text).toContain('bulkhead_agent_request_duration_seconds_bucket{route="POST /commands/run",le="+Inf"} 1\n');
    expect(text).toContain("bulkhead_agent_executions_total 1\n");
    for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^(# |[a-z0-9_]+(\{[^}]+\})? [-\d.e]+$)/);
  });

  it("tell truly of the cache, which can be cleared", async () => {
    const stats = async () => cacheStatsSchema.strict().parse((await agent.ask("GET", "/cache/stats")).body);
    await typescript("const n: number = 6 * 7; console.log(n)");
    await typescript("const n: number = 6 * 7; console.log(n)");
    expect(await stats()).toMatchObject({ hits: 1, misses: 1, count: 1, hit_rate: 0.5 });
    expect((await agent.ask("POST", "/cache/clear")).body).toMatchObject({ success: true });
    expect(await stats()).toMatchObject({ count: 0, size: 0, hits: 1 });
  });
});

describe("what the agent says of itself", () => {
  it("names what it serves", async () => {
    const { endpoints, features } = infoResponseSchema.parse((await agent.ask("GET", "/info")).body);
    for (const path of Object.values(endpoints)) {
      const { body } = await agent.ask("GET", path);
      expect([path, body["code"]]).not.toEqual([path, "RESOURCE_NOT_FOUND"]);
    }
    expect(features).toMatchObject({
      background: true,
      streaming: true,
      terminal: true,
      file_watch: true,
      ipython: true,
    });
    // This one has no way out.
    expect(features).toMatchObject({ callbacks: false, desktop: false });
  });
});
