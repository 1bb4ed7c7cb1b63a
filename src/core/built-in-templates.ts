import type { TemplateRecord } from "./model.ts";

/** What differs between the places where a template runs. */
export type TemplateVariant = Pick<TemplateRecord, "description" | "resources" | "status">;

const common = {
  category: "development",
  language: "multi",
  problem: null,
  idleTimeoutSeconds: null,
  maxLifetimeSeconds: null,
  network: null,
} as const;

/** The templates that every platform offers. Names and ids never change. */
export function builtInTemplates(
  now: number,
  variants: { readonly base: TemplateVariant; readonly codeInterpreter: TemplateVariant },
): readonly TemplateRecord[] {
  const made = { createdAt: now, updatedAt: now };
  return [
    {
      ...common,
      ...made,
      ...variants.base,
      id: "1",
      name: "base",
      displayName: "Base",
      features: [],
      tags: ["python", "javascript", "bash"],
    },
    {
      ...common,
      ...made,
      ...variants.codeInterpreter,
      id: "2",
      name: "code-interpreter",
      displayName: "Code interpreter",
      features: ["rich-output"],
      tags: ["python", "data"],
    },
  ];
}
