import type { QuarantineAnswer } from "#contracts/control/quarantine.ts";
import type { SandboxRecord } from "#core/model.ts";
import { readJsonBody } from "./body.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { parseInput } from "./parse.ts";
import { type ControlContext, principalOf, requestContext } from "./request-state.ts";
import type { Routes } from "./routes.ts";
import { sandboxId } from "./sandbox-handlers.ts";
import { quarantineView, statusView } from "./sandbox-view.ts";
import { wire } from "./wire-schemas.ts";

const one = "/v1/sandboxes/{id}";

/** Holding a sandbox for inspection, and everything on record of it. */
export function addQuarantineRoutes(routes: Routes, { platform, config }: ControlDependencies): void {
  const contextOf = (c: ControlContext) => requestContext(c, config.sourceIp ?? (() => null));
  const answer = (c: ControlContext, record: SandboxRecord, frozen: boolean): QuarantineAnswer => {
    const { id, status } = statusView(record, config, c.get("requestId"));
    return { id, status, quarantine: quarantineView(record), frozen, request_id: c.get("requestId") };
  };
  const quarantine = { path: `${one}/quarantine`, tag: "Sandboxes", needs: "sandboxes:quarantine" } as const;
  routes.add(
    {
      ...quarantine,
      method: "post",
      summary: "Hold a sandbox for inspection: nothing goes out, tokens are refused, processes stand still, files stay",
      body: wire.quarantineRequest,
      answer: [200, wire.quarantineAnswer, "What it is now"],
    },
    async (c) => {
      const id = sandboxId(c);
      const { reason, hold_seconds } = parseInput(wire.quarantineRequest, await readJsonBody(c.req), "body");
      const asked = { reason, ...(hold_seconds != null && { holdSeconds: hold_seconds }) };
      const { sandbox, frozen } = await platform.quarantine.quarantine(principalOf(c), id, asked, contextOf(c));
      return c.json(answer(c, sandbox, frozen));
    },
  );
  routes.add(
    {
      ...quarantine,
      method: "delete",
      summary: "Let a held sandbox go on as it was, with the time it had left; tokens of before stay dead",
      answer: [200, wire.quarantineAnswer, "What it is now"],
    },
    async (c) => {
      const record = await platform.quarantine.release(principalOf(c), sandboxId(c), contextOf(c));
      return c.json(answer(c, record, record.status !== "running"));
    },
  );
  routes.add(
    {
      method: "get",
      path: `${one}/evidence`,
      summary: "Everything on record of a sandbox, living or ended, as one signed document",
      tag: "Audit",
      needs: "audit:read",
      answer: [200, wire.evidence, "The bundle"],
    },
    async (c) => c.json(await platform.evidence.bundle(principalOf(c), sandboxId(c), contextOf(c))),
  );
}
