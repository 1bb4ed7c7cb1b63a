import { OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Permission } from "#contracts/access.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { documentedErrors } from "./documented-errors.ts";
import type { ControlContext, ControlEnv } from "./request-state.ts";

type Method = "get" | "post" | "put" | "delete";

/** One route as the OpenAPI document shows it. */
export interface RouteSpec {
  readonly method: Method;
  /** With parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly tag:
    | "Sandboxes"
    | "Ports"
    | "Egress"
    | "Secrets"
    | "Templates"
    | "API keys"
    | "Limits"
    | "Audit"
    | "Alerts"
    | "Events"
    | "Service"
    | "Account";
  /** Answers without an API key. */
  readonly open?: true;
  /** What a key must be allowed; stands in the document as `x-bulkhead-permission`. Absent: any valid key may ask. */
  readonly needs?: Permission;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Status and body of success; absent for routes that only refuse. */
  readonly answer?: readonly [status: 200 | 201, schema: z.ZodType, description: string];
}

export type Handler = (c: ControlContext) => Response | Promise<Response>;

/** The app and the table of its routes; the table answers what is allowed where. */
export interface Routes {
  readonly app: OpenAPIHono<ControlEnv>;
  add(spec: RouteSpec, handler: Handler): void;
  /** RESOURCE_NOT_FOUND, or METHOD_NOT_ALLOWED with `details.allow` where other methods are served. */
  unserved(method: string, path: string): BulkheadError;
}

export function makeRoutes(): Routes {
  const app = new OpenAPIHono<ControlEnv>();
  const served: { readonly method: string; readonly path: RegExp }[] = [];
  return {
    app,
    add(spec, handler) {
      app.openAPIRegistry.registerPath(documented(spec));
      app.on(spec.method.toUpperCase(), spec.path.replaceAll(/\{(\w+)\}/g, ":$1"), handler);
      served.push({
        method: spec.method.toUpperCase(),
        path: new RegExp(`^${spec.path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
      });
    },
    unserved(method, path) {
      const matching = served.filter((route) => route.path.test(path));
      const allow = [...new Set(matching.map((route) => route.method))];
      if (allow.length === 0) {
        return new BulkheadError(
          "RESOURCE_NOT_FOUND",
          "There is nothing at this path. GET /v1/openapi.json lists all routes.",
        );
      }
      if (allow.includes("GET")) allow.push("HEAD");
      return new BulkheadError("METHOD_NOT_ALLOWED", `${method} is not served here. Use ${allow.join(", ")}.`, {
        details: { allow },
      });
    },
  };
}

function documented(spec: RouteSpec): RouteConfig {
  const names = [...spec.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  const json = (schema: z.ZodType) => ({ "application/json": { schema } });
  return {
    method: spec.method,
    path: spec.path,
    summary: spec.summary,
    tags: [spec.tag],
    ...(spec.needs !== undefined && { "x-bulkhead-permission": spec.needs }),
    security: spec.open === true ? [] : [{ apiKey: [] }, { bearer: [] }],
    request: {
      ...(names.length > 0 && { params: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) }),
      ...(spec.query !== undefined && { query: spec.query }),
      ...(spec.headers !== undefined && { headers: spec.headers }),
      ...(spec.body !== undefined && { body: { content: json(spec.body), required: true } }),
    },
    responses: {
      ...(spec.answer !== undefined && {
        [spec.answer[0]]: { description: spec.answer[2], content: json(spec.answer[1]) },
      }),
      ...documentedErrors(spec),
    },
  };
}
