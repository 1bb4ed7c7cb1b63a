import type { TemplateRecord } from "#core/model.ts";

const common = {
  category: "development",
  language: "multi",
  status: "active",
  problem: null,
  idleTimeoutSeconds: null,
  maxLifetimeSeconds: null,
} as const;

/** The templates of a deployment on AWS: names and ids of those on one machine, in sizes that Fargate has. */
export function fargateTemplates(now: number): readonly TemplateRecord[] {
  return [
    {
      ...common,
      id: "1",
      name: "base",
      displayName: "Base",
      description: "Debian with Python, Node.js and Bash",
      resources: { vcpu: 1, memory_mb: 2048, disk_mb: 10_240 },
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
      resources: { vcpu: 1, memory_mb: 4096, disk_mb: 10_240 },
      features: ["rich-output"],
      tags: ["python", "data"],
      createdAt: now,
      updatedAt: now,
    },
  ];
}
