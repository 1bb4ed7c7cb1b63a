import { LambdaClient } from "@aws-sdk/client-lambda";
import { afterEach, describe, expect, it } from "vitest";
import { makeLambdaAgentBridge } from "#aws/lambda-agent-bridge.ts";
import { makeFileRemover } from "#aws/lambda-janitor.ts";
import { answerBridgeCall } from "#bridge/answer-call.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { AgentPort, Clock } from "#core/ports.ts";
import { systemClock } from "#core/system-clock.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { noopLogger } from "#telemetry/logger.ts";
import {
  failureOf,
  type JsonService,
  type ServiceAnswer,
  type ServiceCall,
  startJsonService,
} from "#test/support/json-service.ts";
import { makeVirtualClock } from "#test/support/virtual-clock.ts";

const endpoint = { kind: "tcp", host: "10.0.0.1", port: 7777, fingerprint: "ab".repeat(32) } as const;
const lease = { lifetime_at: 5, idle_ms: 6, timeout_at: 7 };
const request = {
  ...{ sandbox_id: "s", env: { TOKEN: "hunter2-value" }, lease, internet_access: true },
  resources: { vcpu: 0.5, memory_mb: 64, disk_mb: 16 },
};
const state = { state: "active", sandbox_id: "s", last_activity_at: 1, active_executions: 2 } as const;

const started: JsonService[] = [];
afterEach(async () => {
  for (const service of started.splice(0)) await service.stop();
});

async function lambdaThat(
  answer: (call: ServiceCall) => ServiceAnswer | Promise<ServiceAnswer>,
  clock: Clock = systemClock,
) {
  const service = await startJsonService(answer);
  started.push(service);
  const lines: string[] = [];
  const logger = makeJsonLogger({ level: "debug", write: (line) => lines.push(line), now: () => 0 });
  const deps = { region: "us-east-1", client: new LambdaClient(service.options), clock };
  return {
    service,
    lines,
    bridge: makeLambdaAgentBridge({ ...deps, functionName: "dev-bridge", logger }),
    remove: makeFileRemover({ ...deps, functionName: "dev-janitor" }),
  };
}

/** The bridge function as deployed, with `agent` in place of its network. */
function functionWith(agent: AgentPort) {
  return lambdaThat(async (call) => ({ body: await answerBridgeCall(agent, call.body, noopLogger) }));
}

const failed = {
  headers: { "x-amz-function-error": "Unhandled" },
  body: { errorMessage: "hunter2-value: Task timed out" },
};

describe("the bridge over Lambda", () => {
  it("carries every call and its answer unchanged, one invocation each", async () => {
    const seen: unknown[] = [];
    const { bridge, service } = await functionWith({
      activate: async (...given) => void seen.push(given),
      renew: async (...given) => {
        seen.push(given);
        return state;
      },
      health: async (...given) => {
        seen.push(given);
        return { ...state, certificate_fingerprint: "cd" };
      },
      freeze: async () => ({ ...state, frozen: true }),
      thaw: async () => state,
      env: async () => ({ A: "1" }),
    });
    await bridge.activate(endpoint, request);
    expect(await bridge.renew(endpoint, lease)).toEqual(state);
    expect(await bridge.health(endpoint, 1_500)).toEqual({ ...state, certificate_fingerprint: "cd" });
    expect(await bridge.freeze(endpoint)).toEqual({ ...state, frozen: true });
    expect(await bridge.thaw(endpoint)).toEqual(state);
    expect(await bridge.env(endpoint)).toEqual({ A: "1" });
    expect(seen).toEqual([
      [endpoint, request],
      [endpoint, lease],
      [endpoint, 1_500],
    ]);
    expect(service.calls.map((call) => call.operation)).toEqual(
      Array.from({ length: 6 }, () => "/2015-03-31/functions/dev-bridge/invocations"),
    );
  });

  it("carries the agent's errors", async () => {
    const { bridge } = await functionWith({
      activate: () => Promise.reject(new BulkheadError("CONFLICT", "taken")),
      renew: () => Promise.reject(new BulkheadError("AGENT_UNREACHABLE", "gone", { details: { why: "refused" } })),
      health: () => Promise.reject(new Error("hunter2-value")),
      freeze: () => Promise.reject(new Error("no")),
      thaw: () => Promise.reject(new Error("no")),
      env: () => Promise.reject(new Error("no")),
    });
    await expect(bridge.activate(endpoint, request)).rejects.toMatchObject({ code: "CONFLICT", message: "taken" });
    await expect(bridge.renew(endpoint, lease)).rejects.toMatchObject({
      code: "AGENT_UNREACHABLE",
      details: { why: "refused" },
    });
    await expect(bridge.health(endpoint, 5)).rejects.toMatchObject({ code: "INTERNAL_ERROR" });
  });

  it.each<[string, ServiceAnswer, string]>([
    ["crashed or ran out of time", failed, "AGENT_UNREACHABLE"],
    ["answered nonsense", { body: "hunter2-value" }, "AGENT_UNREACHABLE"],
    ["answered something else", { body: { ok: "maybe", why: "hunter2-value" } }, "AGENT_UNREACHABLE"],
    ["answered without a state", { body: { ok: true } }, "AGENT_UNREACHABLE"],
    ["was throttled", failureOf("TooManyRequestsException", 429), "SERVICE_UNAVAILABLE"],
    ["could not be started", failureOf("ServiceException", 500), "SERVICE_UNAVAILABLE"],
    ["was cut off", null, "SERVICE_UNAVAILABLE"],
    ["is not there", failureOf("ResourceNotFoundException", 404), "INTERNAL_ERROR"],
    ["is not ours to call", failureOf("AccessDeniedException", 403), "INTERNAL_ERROR"],
  ])("a function that %s is a typed error, and no payload is logged", async (_name, answer, code) => {
    const { bridge, lines } = await lambdaThat(() => answer);
    await expect(bridge.health(endpoint, 100)).rejects.toMatchObject({ code });
    expect(lines).toHaveLength(1);
    await bridge.activate(endpoint, request).catch(() => undefined);
    expect(lines.join("")).not.toContain("hunter2");
  });

  it("gives up on a function that does not answer, somewhat after the agent's own time", async () => {
    const clock = makeVirtualClock();
    const { bridge } = await lambdaThat(() => new Promise(() => {}), clock);
    const answer = bridge.health(endpoint, 2_000);
    const outcome = answer.then(
      () => "answered",
      (error: unknown) => (error instanceof BulkheadError ? error.code : "untyped"),
    );
    await clock.advance(2_000);
    expect(await Promise.race([outcome, Promise.resolve("waiting")])).toBe("waiting");
    await clock.advance(10_000);
    expect(await outcome).toBe("AGENT_UNREACHABLE");
  });

  it("knows no agents on Unix sockets", async () => {
    const { bridge, service } = await lambdaThat(() => ({ body: { ok: true } }));
    await expect(bridge.activate({ kind: "unix", path: "/x" }, request)).rejects.toMatchObject({
      code: "AGENT_UNREACHABLE",
    });
    expect(service.calls).toEqual([]);
  });
});

describe("the janitor over Lambda", () => {
  const id = "iabcdefghijklmnop";

  it("is asked for one instance, and done when it says so", async () => {
    const { remove, service } = await lambdaThat(() => ({ body: { removed: [id], left: [] } }));
    await remove(id);
    expect(service.calls).toEqual([
      { operation: "/2015-03-31/functions/dev-janitor/invocations", body: { instanceIds: [id] } },
    ]);
  });

  it.each<[string, ServiceAnswer]>([
    ["left something", { body: { removed: [], left: [{ instanceId: id, why: "out of time" }] } }],
    ["says nothing of it", { body: { removed: [], left: [] } }],
    ["ran out of time", failed],
    ["was throttled", failureOf("TooManyRequestsException", 429)],
  ])("is to be asked again when it %s", async (_name, answer) => {
    const { remove } = await lambdaThat(() => answer);
    await expect(remove(id)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  });
});
