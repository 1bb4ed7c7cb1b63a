import { type JsonSchema, JsonSchemaType, JsonSchemaVersion } from "aws-cdk-lib/aws-apigateway";
import { z } from "zod";

/**
 * What API Gateway can check of a body. It reads JSON Schema draft 4; of what zod writes into the OpenAPI document that leaves out
 * numeric `exclusiveMinimum` and `exclusiveMaximum`, `const`, `propertyNames` and `format`. What is left out here is checked by the
 * function: it parses every body with the whole schema.
 */
const typeSchema = z.enum(JsonSchemaType);
const nodeSchema = z.object({
  type: z.union([typeSchema, z.array(typeSchema)]).optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  pattern: z.string().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
  additionalProperties: z.unknown().optional(),
});

/** Keywords that draft 4 has no word for: left to the function. */
const leftOut: ReadonlySet<string> = new Set([
  "exclusiveMinimum",
  "exclusiveMaximum",
  "propertyNames",
  "format",
  "description",
  "default",
]);

export function draft4(schema: unknown): JsonSchema {
  return { schema: JsonSchemaVersion.DRAFT4, ...node(schema) };
}

/** @throws Error for a keyword that is neither translated nor known to be left out */
function node(schema: unknown): JsonSchema {
  const known = nodeSchema.parse(schema);
  const strange = Object.keys(z.record(z.string(), z.unknown()).parse(schema)).filter(
    (keyword) => !(keyword in nodeSchema.shape) && !leftOut.has(keyword),
  );
  if (strange.length > 0) throw new Error(`no draft 4 for ${strange.join(", ")}`);
  const { items, anyOf, properties, additionalProperties, const: only, enum: values, ...plain } = known;
  return {
    ...defined(plain),
    ...(only !== undefined && { enum: [only] }),
    ...(values !== undefined && { enum: values }),
    ...(items !== undefined && { items: node(items) }),
    ...(anyOf !== undefined && { anyOf: anyOf.map(node) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, node(one)])),
    }),
    ...(additionalProperties !== undefined && { additionalProperties: more(additionalProperties) }),
  };
}

function more(schema: unknown): boolean | JsonSchema {
  return typeof schema === "boolean" ? schema : node(schema);
}

type Plain = Omit<
  z.output<typeof nodeSchema>,
  "items" | "anyOf" | "properties" | "additionalProperties" | "const" | "enum"
>;

function defined(plain: Plain): JsonSchema {
  const { type, minimum, maximum, minLength, maxLength, pattern, minItems, maxItems, required } = plain;
  return {
    ...(type !== undefined && { type }),
    ...(minimum !== undefined && { minimum }),
    ...(maximum !== undefined && { maximum }),
    ...(minLength !== undefined && { minLength }),
    ...(maxLength !== undefined && { maxLength }),
    ...(pattern !== undefined && { pattern }),
    ...(minItems !== undefined && { minItems }),
    ...(maxItems !== undefined && { maxItems }),
    ...(required !== undefined && { required }),
  };
}
