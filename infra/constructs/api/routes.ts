import { z } from "zod";
import { type Permission, permissions } from "#contracts/access.ts";
import document from "../../../docs/openapi.json" with { type: "json" };

/** One route of the control plane, as docs/openapi.json has it: made from the routes that are served (npm run openapi). */
export interface ApiRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** As callers see it, e.g. `/v1/sandboxes/{id}`. */
  readonly path: string;
  /** First part of the path. A REST API's address has its stage there, so that each is one: base URL and path go together unchanged. */
  readonly stage: string;
  /** The rest of the path, below the stage. */
  readonly resource: string;
  /** Answers anybody. */
  readonly open: boolean;
  /** What a caller has to be allowed. */
  readonly needs: Permission | null;
  readonly query: readonly string[];
  /** Name of the body's schema. */
  readonly body: string | null;
}

const operationSchema = z.object({
  security: z.array(z.unknown()),
  "x-bulkhead-permission": z.enum(permissions).optional(),
  parameters: z.array(z.object({ in: z.string(), name: z.string() })).default([]),
  requestBody: z
    .object({ content: z.object({ "application/json": z.object({ schema: z.object({ $ref: z.string() }) }) }) })
    .optional(),
});
const documentSchema = z.object({
  paths: z.record(z.string(), z.partialRecord(z.enum(["get", "post", "put", "delete"]), operationSchema)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

const methods = { get: "GET", post: "POST", put: "PUT", delete: "DELETE" } as const;
const methodNames = ["get", "post", "put", "delete"] as const;

const parsed = documentSchema.parse(document);

/** Every route, in the document's order. */
export const apiRoutes: readonly ApiRoute[] = Object.entries(parsed.paths).flatMap(([path, operations]) =>
  methodNames.flatMap((name) => {
    const operation = operations[name];
    return operation === undefined ? [] : [routeOf(methods[name], path, operation)];
  }),
);

/** The stages that serve them, `v1` first. */
export const stageNames: readonly string[] = [...new Set(["v1", ...apiRoutes.map(({ stage }) => stage)])];

/** Schema of a body, as the document has it. */
export function bodySchema(name: string): unknown {
  return parsed.components.schemas[name];
}

function routeOf(method: ApiRoute["method"], path: string, operation: z.output<typeof operationSchema>): ApiRoute {
  const [, stage = "", ...rest] = path.split("/");
  return {
    method,
    path,
    stage,
    resource: `/${rest.join("/")}`,
    open: operation.security.length === 0,
    needs: operation["x-bulkhead-permission"] ?? null,
    query: operation.parameters.filter((one) => one.in === "query").map(({ name }) => name),
    body: operation.requestBody?.content["application/json"].schema.$ref.split("/").at(-1) ?? null,
  };
}
