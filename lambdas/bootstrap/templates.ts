import { builtInTemplates } from "#core/built-in-templates.ts";
import type { TemplateRecord } from "#core/model.ts";

/** The templates of a deployment on AWS, in sizes that Fargate has. */
export function fargateTemplates(now: number): readonly TemplateRecord[] {
  return builtInTemplates(now, {
    base: {
      status: "active",
      description: "Debian with Python, Node.js and Bash",
      resources: { vcpu: 1, memory_mb: 2048, disk_mb: 10_240 },
    },
    codeInterpreter: {
      status: "active",
      description: "Base with numpy, pandas and matplotlib; shows plots, tables and values",
      resources: { vcpu: 1, memory_mb: 4096, disk_mb: 10_240 },
    },
  });
}
