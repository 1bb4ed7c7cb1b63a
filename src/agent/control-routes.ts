import { controlPrefix } from "#contracts/agent-constants.ts";
import type { DecoyFile } from "#contracts/agent-control.ts";
import type { Freezer } from "./freeze/freezer.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { parseActivate, parseLease } from "./parse.ts";
import type { Route } from "./router.ts";

/**
 * Routes of the control plane (agent-control.ts). Each answers the agent's state.
 * @param layDecoy returns at once and never throws
 */
export function controlRoutes(
  lifecycle: Lifecycle,
  freezer: Freezer,
  rehearsal: () => void,
  egressKeyHash?: string,
  layDecoy: (decoy: DecoyFile) => void = () => {},
): Route[] {
  return [
    {
      method: "POST",
      path: `${controlPrefix}freeze`,
      async handle(request) {
        // First, so that nothing new begins while what runs is stopped.
        lifecycle.setFrozen(true);
        try {
          await freezer.freeze();
        } finally {
          lifecycle.setFrozen(freezer.frozen);
        }
        request.send(200, lifecycle.state());
      },
    },
    {
      method: "POST",
      path: `${controlPrefix}thaw`,
      async handle(request) {
        await freezer.thaw();
        lifecycle.setFrozen(false);
        request.send(200, lifecycle.state());
      },
    },
    {
      method: "GET",
      path: `${controlPrefix}env`,
      handle: (request) => request.send(200, { env: lifecycle.env() }),
    },
    {
      method: "POST",
      path: `${controlPrefix}activate`,
      async handle(request) {
        const asked = parseActivate(await request.json());
        const isFirst = lifecycle.sandbox() === undefined;
        lifecycle.activate(asked);
        if (isFirst && asked.decoy !== undefined) layDecoy(asked.decoy);
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
        request.send(200, {
          ...lifecycle.state(),
          ...(egressKeyHash !== undefined && { egress_key_hash: egressKeyHash }),
        });
        rehearsal();
      },
    },
  ];
}
