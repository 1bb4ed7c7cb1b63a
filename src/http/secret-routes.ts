import type { z } from "zod";
import { secretNameSchema } from "#contracts/control/secrets.ts";
import { toRfc3339 } from "#contracts/time.ts";
import type { SecretFacts } from "#core/ports.ts";
import { readJsonBody } from "./body.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { parseInput } from "./parse.ts";
import { type ControlContext, principalOf, requestContext } from "./request-state.ts";
import type { Handler, Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

const tag = "Secrets";
const all = "/v1/secrets";
const one = "/v1/secrets/{name}";

/** Secrets that the platform keeps itself. */
export function addSecretRoutes(routes: Routes, deps: ControlDependencies): void {
  const on = makeHandlers(deps);
  routes.add(
    {
      method: "get",
      path: all,
      summary: "List secrets, by name",
      needs: "secrets:read",
      tag,
      answer: [200, wire.secretList, "All, without values"],
    },
    on.list,
  );
  routes.add(
    {
      method: "put",
      path: one,
      summary: "Make or replace a secret; its value never comes out again",
      needs: "secrets:write",
      tag,
      body: wire.putSecret,
      answer: [200, wire.secret, "What may be told of it"],
    },
    on.put,
  );
  routes.add(
    {
      method: "delete",
      path: one,
      summary: "Remove a secret",
      needs: "secrets:write",
      tag,
      answer: [200, wire.removedSecret, "Removed"],
    },
    on.remove,
  );
}

function makeHandlers({
  platform: { secrets },
  config,
}: ControlDependencies): Record<"list" | "put" | "remove", Handler> {
  const contextOf = (c: ControlContext) => requestContext(c, config.sourceIp ?? (() => null));
  return {
    async list(c) {
      const found = await secrets.list(principalOf(c), contextOf(c));
      const answer: z.infer<typeof wire.secretList> = {
        object: "list",
        data: found.map(secretView),
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
    async put(c) {
      const name = nameOf(c);
      const { value } = parseInput(wire.putSecret, await readJsonBody(c.req), "body");
      const facts = await secrets.put(principalOf(c), name, value, contextOf(c));
      return c.json({ ...secretView(facts), request_id: c.get("requestId") });
    },
    async remove(c) {
      const name = nameOf(c);
      await secrets.remove(principalOf(c), name, contextOf(c));
      const answer: z.infer<typeof wire.removedSecret> = {
        object: "secret",
        name,
        deleted: true,
        request_id: c.get("requestId"),
      };
      return c.json(answer);
    },
  };
}

/** Percent-decoded: a name may contain slashes. */
function nameOf(c: ControlContext): string {
  return parseInput(secretNameSchema, c.req.param("name") ?? "", "path");
}

function secretView({ name, version, createdAt, updatedAt }: SecretFacts) {
  return {
    object: "secret" as const,
    name,
    version,
    created_at: toRfc3339(createdAt),
    updated_at: toRfc3339(updatedAt),
  };
}
