import { z } from "zod";

const resourceSchema = z.looseObject({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DependsOn: z.union([z.string(), z.array(z.string())]).optional(),
});
const templateSchema = z.looseObject({ Resources: z.record(z.string(), resourceSchema) });

export type TemplateResource = z.output<typeof resourceSchema>;
export type SynthesizedTemplate = z.output<typeof templateSchema>;

export function parseTemplate(json: unknown): SynthesizedTemplate {
  return templateSchema.parse(json);
}

/** A resource that was not loaded. */
export interface LeftOut {
  readonly id: string;
  readonly type: string;
  readonly because: string;
}

export interface Fitted {
  readonly template: SynthesizedTemplate;
  readonly leftOut: readonly LeftOut[];
  /** What of the resources left out others refer to, as `Type.Attribute`: they were given a text in its place. */
  readonly standIns: readonly string[];
}

/**
 * A template without what cannot be loaded. Resources that refer to something left out stay, with a text in its place: so all that can be
 * checked is, and only one value of theirs is not real.
 */
export function fitTemplate(
  template: SynthesizedTemplate,
  refusal: (resource: TemplateResource) => string | undefined,
): Fitted {
  const leftOut = new Map<string, LeftOut>();
  for (const [id, resource] of Object.entries(template.Resources)) {
    const because = refusal(resource);
    if (because !== undefined) leftOut.set(id, { id, type: resource.Type, because });
  }
  const kept = Object.entries(template.Resources).filter(([id]) => !leftOut.has(id));
  const Resources = Object.fromEntries(kept.map(([id, resource]) => [id, withoutDependencies(resource, leftOut)]));
  const standIns = new Set<string>();
  const replaced = replaceReferences({ ...template, Resources }, (id, attribute) => {
    const left = leftOut.get(id);
    if (left === undefined) return undefined;
    standIns.add(`${left.type}.${attribute}`);
    return `stand-in-${id}`;
  });
  return { template: parseTemplate(replaced), leftOut: [...leftOut.values()], standIns: [...standIns].sort() };
}

function withoutDependencies(resource: TemplateResource, leftOut: ReadonlyMap<string, LeftOut>): TemplateResource {
  const { DependsOn = [], ...rest } = resource;
  const kept = [DependsOn].flat().filter((id) => !leftOut.has(id));
  return kept.length === 0 ? rest : { ...rest, DependsOn: kept };
}

const refSchema = z.strictObject({ Ref: z.string() });
const attributeSchema = z.strictObject({ "Fn::GetAtt": z.tuple([z.string(), z.string()]) });

/** A copy in which references are what `replacement` says of them, or stay. */
function replaceReferences(node: unknown, replacement: (id: string, attribute: string) => string | undefined): unknown {
  if (Array.isArray(node)) return node.map((item) => replaceReferences(item, replacement));
  if (typeof node !== "object" || node === null) return node;
  const ref = refSchema.safeParse(node);
  const attribute = attributeSchema.safeParse(node);
  const found = ref.success
    ? replacement(ref.data.Ref, "Ref")
    : attribute.success && replacement(...attribute.data["Fn::GetAtt"]);
  if (typeof found === "string") return found;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, replaceReferences(value, replacement)]));
}
