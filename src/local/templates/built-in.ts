import { builtInTemplates } from "#core/built-in-templates.ts";
import type { TemplateRecord } from "#core/model.ts";

/** The templates of a platform on one machine; they are prepared after the start. */
export function localTemplates(now: number): readonly TemplateRecord[] {
  return builtInTemplates(now, {
    base: {
      status: "building",
      description: "Python, Node.js, Bash and whatever else the host has in /usr",
      resources: { vcpu: 1, memory_mb: 512, disk_mb: 1024 },
    },
    codeInterpreter: {
      status: "building",
      description: "Base with numpy, pandas and matplotlib; shows plots, tables and values",
      resources: { vcpu: 1, memory_mb: 1024, disk_mb: 2048 },
    },
  });
}
