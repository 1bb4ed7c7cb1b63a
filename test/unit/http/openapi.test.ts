import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { z } from "zod";
import { makeHarness } from "./fake-control-plane.ts";

const schemaShape = z.object({ properties: z.record(z.string(), z.unknown()).optional() });
const documentShape = z.object({
  openapi: z.literal("3.1.0"),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({ schemas: z.record(z.string(), schemaShape) }),
});

async function served(): Promise<z.infer<typeof documentShape>> {
  const answer = await makeHarness().app.request("/v1/openapi.json");
  expect(answer.status).toBe(200);
  return documentShape.parse(await answer.json());
}

it("the document is open, and the one in docs", async () => {
  const text = await readFile(new URL("../../../docs/openapi.json", import.meta.url), "utf8");
  const answer = await makeHarness().app.request("/v1/openapi.json");
  expect(await answer.json()).toEqual(JSON.parse(text));
});

it("it has every path and method that Hopx publishes", async () => {
  const { paths } = await served();
  const published: Record<string, readonly string[]> = {
    "/health": ["get"],
    "/v1/sandboxes": ["get", "post"],
    "/v1/sandboxes/{id}": ["get", "delete"],
    "/v1/sandboxes/{id}/pause": ["post"],
    "/v1/sandboxes/{id}/resume": ["post"],
    "/v1/sandboxes/{id}/start": ["post"],
    "/v1/sandboxes/{id}/stop": ["post"],
    "/v1/sandboxes/{id}/timeout": ["put"],
    "/v1/sandboxes/{id}/token/refresh": ["post"],
    "/v1/templates": ["get"],
    "/v1/templates/build": ["post"],
    "/v1/templates/build/{id}/logs": ["get"],
    "/v1/templates/build/{id}/status": ["get"],
    "/v1/templates/files/upload-link": ["post"],
    "/v1/templates/{name}": ["get", "delete"],
  };
  for (const [path, methods] of Object.entries(published)) {
    expect(Object.keys(paths[path] ?? {}), path).toEqual(expect.arrayContaining([...methods]));
  }
});

it("its objects have every property that Hopx publishes and a client reads", async () => {
  const { schemas } = (await served()).components;
  const published: Record<string, string> = {
    CreatedSandbox:
      "auth_token created_at direct_url expires_at id internet_access live_mode node_id object organization_id preview_url " +
      "public_host region request_id resources status template_id template_name timeout_seconds token_expires_at",
    CreateSandboxRequest: "env_vars internet_access region template_id template_name timeout_seconds",
    SandboxList: "data has_more object request_id url next_cursor",
    Template:
      "build_id category created_at default_resources description display_name features id is_active is_public language " +
      "max_resources min_resources name object organization_id popularity_score request_id status tags updated_at",
    TemplateList: "data has_more object request_id url",
    SetTimeoutRequest: "timeout_seconds",
  };
  for (const [name, properties] of Object.entries(published)) {
    expect(Object.keys(schemas[name]?.properties ?? {}), name).toEqual(expect.arrayContaining(properties.split(" ")));
  }
});
