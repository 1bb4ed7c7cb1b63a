import { expect, it } from "vitest";
import { answerBridgeCall } from "#bridge/answer-call.ts";
import { bridgeAnswerSchema } from "#contracts/bridge.ts";
import { BulkheadError } from "#contracts/errors.ts";
import type { AgentPort } from "#core/ports.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { noopLogger } from "#telemetry/logger.ts";

const endpoint = { kind: "tcp", host: "10.0.0.1", port: 7777, fingerprint: "aa" } as const;
const lease = { lifetime_at: 1, idle_ms: 1 };
const request = {
  ...{ sandbox_id: "s", env: { TOKEN: "hunter2-value" }, lease, internet_access: false },
  resources: { vcpu: 1, memory_mb: 64, disk_mb: 16 },
};
const state = { state: "warm", last_activity_at: 1, active_executions: 0, certificate_fingerprint: "aa" } as const;

function agentThat(overrides: Partial<AgentPort> = {}): AgentPort {
  return {
    activate: () => Promise.resolve(),
    renew: () => Promise.resolve(state),
    health: () => Promise.resolve(state),
    freeze: () => Promise.resolve({ ...state, frozen: true }),
    thaw: () => Promise.resolve(state),
    env: () => Promise.resolve({ A: "1" }),
    ...overrides,
  };
}

it("passes each operation on, and its answer back", async () => {
  const seen: unknown[] = [];
  const agent = agentThat({
    activate: async (...given) => void seen.push(given),
    health: async (...given) => {
      seen.push(given);
      return state;
    },
  });
  expect(await answerBridgeCall(agent, { operation: "activate", endpoint, request }, noopLogger)).toEqual({ ok: true });
  expect(await answerBridgeCall(agent, { operation: "renew", endpoint, lease }, noopLogger)).toEqual({
    ok: true,
    state,
  });
  expect(await answerBridgeCall(agent, { operation: "freeze", endpoint }, noopLogger)).toMatchObject({
    state: { frozen: true },
  });
  expect(await answerBridgeCall(agent, { operation: "thaw", endpoint }, noopLogger)).toEqual({ ok: true, state });
  expect(await answerBridgeCall(agent, { operation: "env", endpoint }, noopLogger)).toEqual({
    ok: true,
    env: { A: "1" },
  });
  const health = { operation: "health", endpoint, timeoutMs: 5 };
  expect(await answerBridgeCall(agent, health, noopLogger)).toEqual({ ok: true, state });
  expect(seen).toEqual([
    [endpoint, request],
    [endpoint, 5],
  ]);
});

it("answers with the typed error, and says nothing of what it does not know", async () => {
  const conflict = agentThat({ activate: () => Promise.reject(new BulkheadError("CONFLICT", "taken")) });
  const call = { operation: "activate", endpoint, request };
  expect(await answerBridgeCall(conflict, call, noopLogger)).toEqual({
    ok: false,
    error: { code: "CONFLICT", message: "taken", details: {} },
  });
  const broken = agentThat({ activate: () => Promise.reject(new TypeError("hunter2-value is not a function")) });
  const answer = bridgeAnswerSchema.parse(await answerBridgeCall(broken, call, noopLogger));
  expect(answer).toMatchObject({ ok: false, error: { code: "INTERNAL_ERROR" } });
  expect(JSON.stringify(answer)).not.toContain("hunter2");
});

it.each([
  ["nothing", undefined],
  ["another operation", { operation: "exec", endpoint }],
  ["a Unix socket", { operation: "health", endpoint: { kind: "unix", path: "/var/run/x" }, timeoutMs: 1 }],
  ["an env that is no env", { operation: "activate", endpoint, request: { ...request, env: ["hunter2-value"] } }],
])("refuses %s and logs no value of it", async (_name, payload) => {
  const lines: string[] = [];
  const logger = makeJsonLogger({ level: "debug", write: (line) => lines.push(line), now: () => 0 });
  expect(await answerBridgeCall(agentThat(), payload, logger)).toMatchObject({
    ok: false,
    error: { code: "INTERNAL_ERROR" },
  });
  expect(lines).toHaveLength(1);
  expect(lines.join("")).not.toContain("hunter2");
});
