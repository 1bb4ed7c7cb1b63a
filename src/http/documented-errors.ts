import type { RouteConfig } from "@hono/zod-openapi";
import type { RouteSpec } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

type Responses = RouteConfig["responses"];

const meanings = {
  400: "The request is malformed; `code` and `details` say where",
  401: "No valid API key",
  403: "The key may not do that, or a limit is reached",
  404: "There is no such thing in the key's project",
  409: "Not in its present state",
  410: "It has ended; `end_reason` says why",
  413: "The body is too large",
  422: "This deployment cannot do it; no repeat helps",
  429: "Too many requests; `Retry-After` says when to come again",
  431: "The head of the request is too large",
  503: "Not now; the same request may be sent again",
} as const;
type Refusal = keyof typeof meanings;

/** What a route may refuse with, by what it takes: clients and the fuzzer hold answers against it. A 500 is never promised. */
export function documentedErrors(spec: RouteSpec): Responses {
  const content = { "application/json": { schema: wire.error } };
  return Object.fromEntries(refusals(spec).map((status) => [status, { description: meanings[status], content }]));
}

function refusals(spec: RouteSpec): readonly Refusal[] {
  const ofSandbox = spec.path.includes("/sandboxes/");
  const creates = spec.method === "post" && spec.path === "/v1/sandboxes";
  return [
    400,
    ...(spec.open === true ? [] : ([401, 403, 429] as const)),
    ...(spec.path.includes("{") || creates ? ([404] as const) : []),
    ...(ofSandbox || spec.method !== "get" || spec.answer === undefined ? ([409] as const) : []),
    ...(ofSandbox || creates ? ([410] as const) : []),
    ...(spec.body === undefined ? [] : ([413] as const)),
    ...(creates || ofSandbox ? ([422] as const) : []),
    431,
    ...(spec.open === true ? [] : ([503] as const)),
  ];
}
