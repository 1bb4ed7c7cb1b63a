import type { EnvResponse } from "#contracts/agent/env.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "./clock.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { maxEnvBytes, parseEnvSet } from "./parse.ts";
import type { AgentRequest, Route } from "./router.ts";

function bytesOf(vars: Readonly<Record<string, string>>): number {
  return Object.entries(vars).reduce((sum, [name, text]) => sum + Buffer.byteLength(name) + Buffer.byteLength(text), 0);
}

/** Values go out as they are: clients delete one variable by GET and PUT of the rest (contract rule 29). */
export function envRoutes(lifecycle: Lifecycle, clock: AgentClock): Route[] {
  function answer(request: AgentRequest): void {
    const vars = lifecycle.env();
    const body: EnvResponse = {
      env_vars: { ...vars },
      count: Object.keys(vars).length,
      timestamp: toRfc3339(clock.now()),
    };
    request.send(200, body);
  }
  function set(request: AgentRequest, vars: Readonly<Record<string, string>>): void {
    if (bytesOf(vars) > maxEnvBytes) {
      throw new BulkheadError("INVALID_REQUEST", `All variables together may take at most ${maxEnvBytes} bytes.`);
    }
    lifecycle.setEnv(vars);
    answer(request);
  }
  return [
    { method: "GET", path: "/env", handle: answer },
    {
      method: "PUT",
      path: "/env",
      handle: async (request) => set(request, parseEnvSet(await request.json()).env_vars),
    },
    {
      method: "PATCH",
      path: "/env",
      async handle(request) {
        const { env_vars: vars, merge } = parseEnvSet(await request.json());
        set(request, merge === false ? vars : { ...lifecycle.env(), ...vars });
      },
    },
    { method: "DELETE", path: "/env", handle: (request) => set(request, {}) },
  ];
}
