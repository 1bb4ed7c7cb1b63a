import { z } from "zod";

const joinSchema = z.object({ "Fn::Join": z.tuple([z.string(), z.array(z.unknown())]) });
const attributeSchema = z.object({ "Fn::GetAtt": z.tuple([z.string(), z.string()]) });
const referenceSchema = z.object({ Ref: z.string() });
const importSchema = z.object({ "Fn::ImportValue": z.unknown() });

/** A resolved value as one text, the way cdk-nag writes it in a finding's id: `arn:<AWS::Partition>:ecs:…`. */
export function flattenReference(value: unknown): string {
  if (typeof value === "string") return value.replaceAll("${", "<").replaceAll("}", ">");
  const join = joinSchema.safeParse(value);
  if (join.success) return join.data["Fn::Join"][1].map(flattenReference).join(join.data["Fn::Join"][0]);
  const attribute = attributeSchema.safeParse(value);
  if (attribute.success) return `<${attribute.data["Fn::GetAtt"].join(".")}>`;
  const reference = referenceSchema.safeParse(value);
  if (reference.success) return `<${reference.data.Ref}>`;
  const imported = importSchema.safeParse(value);
  if (imported.success) return flattenReference(imported.data["Fn::ImportValue"]);
  return JSON.stringify(value);
}
