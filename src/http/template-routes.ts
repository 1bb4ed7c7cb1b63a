import { listTemplatesQuerySchema, type Template, type TemplateList } from "#contracts/control/templates.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { toRfc3339 } from "#contracts/time.ts";
import { requireAccess } from "#core/access.ts";
import type { TemplateRecord } from "#core/model.ts";
import type { ControlDependencies } from "./dependencies.ts";
import { parseQuery } from "./parse.ts";
import { type ControlContext, principalOf } from "./request-state.ts";
import type { Routes } from "./routes.ts";
import { wire } from "./wire-schemas.ts";

const tag = "Templates";

export function addTemplateRoutes(routes: Routes, { platform: { templates }, config }: ControlDependencies): void {
  const find = async (c: ControlContext): Promise<TemplateRecord> => {
    requireAccess(principalOf(c), "templates:read");
    const name = c.req.param("name") ?? "";
    const found = await templates.get(name);
    if (found !== undefined) return found;
    throw new BulkheadError(
      "TEMPLATE_NOT_FOUND",
      `Template ${name.slice(0, 128)} not found. GET /v1/templates lists them.`,
    );
  };
  routes.add(
    {
      method: "get",
      path: "/v1/templates",
      summary: "List templates",
      needs: "templates:read",
      tag,
      query: listTemplatesQuerySchema,
      answer: [200, wire.templateList, "All templates in one page"],
    },
    async (c) => {
      requireAccess(principalOf(c), "templates:read");
      const { category, language } = parseQuery(listTemplatesQuerySchema, c.req.query());
      const wanted = (await templates.list()).filter(
        (template) =>
          (category === undefined || template.category === category) &&
          (language === undefined || template.language === language),
      );
      return c.json({
        object: "list",
        data: wanted.map((record) => templateView(record, config.organizationId)),
        has_more: false,
        next_cursor: null,
        url: "/v1/templates",
        request_id: c.get("requestId"),
      } satisfies TemplateList);
    },
  );
  routes.add(
    {
      method: "get",
      path: "/v1/templates/{name}",
      summary: "Get a template by name or id",
      needs: "templates:read",
      tag,
      answer: [200, wire.template, "The template"],
    },
    async (c) => {
      const view = templateView(await find(c), config.organizationId);
      return c.json({ ...view, request_id: c.get("requestId") } satisfies Template);
    },
  );
  routes.add(
    {
      method: "delete",
      path: "/v1/templates/{name}",
      summary: "Refused: all templates are public",
      needs: "templates:write",
      tag,
    },
    async (c) => {
      requireAccess(principalOf(c), "templates:write");
      const { name } = await find(c);
      throw new BulkheadError("FORBIDDEN", `Template ${name} is public and cannot be deleted.`);
    },
  );
}

function templateView(record: TemplateRecord, organizationId: number): Template {
  const resources = {
    vcpu: record.resources.vcpu,
    memory_mb: record.resources.memory_mb,
    disk_gb: Math.max(1, Math.ceil(record.resources.disk_mb / 1024)),
  };
  return {
    id: record.id,
    object: "template",
    name: record.name,
    display_name: record.displayName,
    description: record.description,
    category: record.category,
    language: record.language,
    default_resources: resources,
    min_resources: resources,
    max_resources: resources,
    features: [...record.features],
    tags: [...record.tags],
    popularity_score: 0,
    is_active: record.status === "active",
    is_public: true,
    status: record.status,
    build_id: record.id,
    organization_id: String(organizationId),
    created_at: toRfc3339(record.createdAt),
    updated_at: toRfc3339(record.updatedAt),
    ...(record.problem !== null && { problem: record.problem }),
  };
}
