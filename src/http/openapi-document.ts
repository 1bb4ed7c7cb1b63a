import type { Routes } from "./routes.ts";

/** The OpenAPI 3.1 document of all routes that were added. */
export function openApiDocument({ app }: Routes): ReturnType<Routes["app"]["getOpenAPI31Document"]> {
  app.openAPIRegistry.registerComponent("securitySchemes", "apiKey", {
    type: "apiKey",
    in: "header",
    name: "X-API-Key",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer" });
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Bulkhead control plane",
      version: "1",
      description: "The Hopx control plane's wire contract, served by Bulkhead.",
    },
  });
}
