import type { TemplateRecord } from "#core/model.ts";

const common = {
  category: "development",
  language: "multi",
  status: "building",
  problem: null,
  idleTimeoutSeconds: null,
  maxLifetimeSeconds: null,
} as const;

/** The templates every platform on one machine offers. Ids never change. */
export function builtInTemplates(now: number): readonly TemplateRecord[] {
  return [
    {
      ...common,
      id: "1",
      name: "base",
      displayName: "Base",
      description: "Python, Node.js, Bash and whatever else the host has in /usr",
      resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
      features: [],
      tags: ["python", "javascript", "bash"],
      createdAt: now,
      updatedAt: now,
    },
    {
      ...common,
      id: "2",
      name: "code-interpreter",
      displayName: "Code interpreter",
      description: "Base with numpy, pandas and matplotlib; shows plots, tables and values",
      resources: { vcpu: 1, memory_mb: 1024, disk_mb: 2048 },
      features: ["rich-output"],
      tags: ["python", "data"],
      createdAt: now,
      updatedAt: now,
    },
  ];
}
