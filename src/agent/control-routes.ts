import { controlPrefix } from "#contracts/agent-constants.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { parseActivate, parseLease } from "./parse.ts";
import type { Route } from "./router.ts";

/** Routes of the control plane (agent-control.ts). Each answers the agent's state. */
export function controlRoutes(lifecycle: Lifecycle, rehearsal: () => void): Route[] {
  return [
    {
      method: "POST",
      path: `${controlPrefix}activate`,
      async handle(request) {
        lifecycle.activate(parseActivate(await request.json()));
        request.send(200, lifecycle.state());
      },
    },
    {
      method: "POST",
      path: `${controlPrefix}lease`,
      async handle(request) {
        lifecycle.renew(parseLease(await request.json()));
        request.send(200, lifecycle.state());
      },
    },
    {
      method: "GET",
      path: `${controlPrefix}state`,
      handle(request) {
        request.send(200, lifecycle.state());
        rehearsal();
      },
    },
  ];
}
