import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";

const resourceSchema = z.looseObject({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
});
export type Resource = z.infer<typeof resourceSchema>;

const templateSchema = z.looseObject({ Resources: z.record(z.string(), resourceSchema).default({}) });

/** One synthesized stack. */
export interface StackTemplate {
  readonly stack: string;
  readonly resources: Readonly<Record<string, Resource>>;
}

const manifestSchema = z.looseObject({
  artifacts: z
    .record(
      z.string(),
      z.looseObject({
        type: z.string(),
        displayName: z.string().optional(),
        properties: z
          .looseObject({ templateFile: z.string().optional(), directoryName: z.string().optional() })
          .optional(),
      }),
    )
    .default({}),
});

export function parseTemplate(stack: string, json: unknown): StackTemplate {
  return { stack, resources: templateSchema.parse(json).Resources };
}

/** Every stack of a cloud assembly (`cdk.out`), those of nested assemblies included. @throws Error when there is none */
export function readAssembly(directory: string): readonly StackTemplate[] {
  const file = join(directory, "manifest.json");
  if (!existsSync(file)) throw new Error(`${directory} holds no manifest.json: run "npx cdk synth --all" first.`);
  const manifest = manifestSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  const stacks = Object.entries(manifest.artifacts).flatMap(([id, { type, displayName, properties }]) => {
    if (type === "cdk:cloud-assembly" && properties?.directoryName !== undefined)
      return readAssembly(join(dirname(file), properties.directoryName));
    if (type !== "aws:cloudformation:stack" || properties?.templateFile === undefined) return [];
    return [
      parseTemplate(displayName ?? id, JSON.parse(readFileSync(join(directory, properties.templateFile), "utf8"))),
    ];
  });
  if (stacks.length === 0) throw new Error(`${directory} holds no stack.`);
  return stacks;
}

const refSchema = z.union([
  z.strictObject({ Ref: z.string() }).transform(({ Ref }) => Ref),
  z.strictObject({ "Fn::GetAtt": z.tuple([z.string(), z.string()]) }).transform((value) => value["Fn::GetAtt"][0]),
]);

/** The resource of the same template that a `Ref` or `Fn::GetAtt` names, if it is one. */
export function referenced(template: StackTemplate, value: unknown): Resource | undefined {
  const name = refSchema.safeParse(value);
  return name.success ? template.resources[name.data] : undefined;
}
