/** A request for a route, and whether what it names belongs to a project and to an environment. */
export interface RouteInput {
  readonly path: string;
  readonly body?: unknown;
  /** A thing that another project, or another environment, must not find. */
  readonly owned?: "project" | "environment";
  /** What the holder of the right key is told where that is no success; by rule, not for want of access. */
  readonly otherwise?: number;
}

export interface Things {
  readonly sandboxId: string;
  readonly keyId: string;
}

/** One for each route of the OpenAPI document: a route that has none fails the test. */
export function inputsFor({ sandboxId, keyId }: Things): Readonly<Record<string, RouteInput>> {
  const sandbox = `/v1/sandboxes/${sandboxId}`;
  const key = `/auth/api-keys/${keyId}`;
  const owned = "environment";
  return {
    "POST /v1/sandboxes": { path: "/v1/sandboxes", body: { template_name: "base" } },
    "GET /v1/sandboxes": { path: "/v1/sandboxes" },
    "GET /v1/sandboxes/{id}": { path: sandbox, owned },
    "DELETE /v1/sandboxes/{id}": { path: sandbox, owned },
    "PUT /v1/sandboxes/{id}/timeout": { path: `${sandbox}/timeout`, body: { timeout_seconds: 60 }, owned },
    "GET /v1/sandboxes/{id}/network": { path: `${sandbox}/network`, owned },
    "PUT /v1/sandboxes/{id}/network": { path: `${sandbox}/network`, body: { mode: "deny-all" }, owned },
    "POST /v1/sandboxes/{id}/pause": { path: `${sandbox}/pause`, owned },
    "POST /v1/sandboxes/{id}/resume": { path: `${sandbox}/resume`, owned },
    "POST /v1/sandboxes/{id}/stop": { path: `${sandbox}/stop`, owned },
    "POST /v1/sandboxes/{id}/start": { path: `${sandbox}/start`, owned },
    "POST /v1/sandboxes/{id}/token/refresh": { path: `${sandbox}/token/refresh`, owned },
    "POST /v1/templates/files/upload-link": { path: "/v1/templates/files/upload-link", otherwise: 409 },
    "POST /v1/templates/build": { path: "/v1/templates/build", otherwise: 409 },
    "GET /v1/templates/build/{id}/status": { path: "/v1/templates/build/1/status", otherwise: 409 },
    "GET /v1/templates/build/{id}/logs": { path: "/v1/templates/build/1/logs", otherwise: 409 },
    "GET /v1/egress": { path: "/v1/egress" },
    "GET /v1/secrets": { path: "/v1/secrets" },
    "PUT /v1/secrets/{name}": { path: "/v1/secrets/vendor", body: { value: "v" } },
    "DELETE /v1/secrets/{name}": { path: "/v1/secrets/vendor", owned: "project" },
    "GET /v1/audit": { path: "/v1/audit" },
    "GET /v1/audit/export": { path: "/v1/audit/export" },
    "GET /v1/audit/checkpoints": { path: "/v1/audit/checkpoints" },
    "POST /v1/audit/checkpoints": { path: "/v1/audit/checkpoints" },
    "GET /v1/audit/public-key": { path: "/v1/audit/public-key" },
    "GET /v1/templates": { path: "/v1/templates" },
    "GET /v1/templates/{name}": { path: "/v1/templates/base" },
    "DELETE /v1/templates/{name}": { path: "/v1/templates/base", otherwise: 403 },
    "POST /auth/api-keys": { path: "/auth/api-keys", body: { name: "k", scopes: ["keys:write"] } },
    "GET /auth/api-keys": { path: "/auth/api-keys" },
    "GET /auth/api-keys/{id}": { path: key, owned },
    "DELETE /auth/api-keys/{id}": { path: key, owned },
    "POST /auth/api-keys/{id}/rotate": { path: `${key}/rotate`, body: {}, owned },
    "GET /v1/capacity": { path: "/v1/capacity" },
    "POST /v1/sandboxes/{id}/quarantine": { path: `${sandbox}/quarantine`, body: { reason: "a look" }, owned },
    "DELETE /v1/sandboxes/{id}/quarantine": { path: `${sandbox}/quarantine`, owned },
    "GET /v1/sandboxes/{id}/evidence": { path: `${sandbox}/evidence`, owned },
    "GET /v1/alerts": { path: "/v1/alerts" },
    "POST /v1/alerts/{id}/acknowledge": { path: "/v1/alerts/alert1/acknowledge", owned, otherwise: 404 },
  };
}
