import type { Template } from "aws-cdk-lib/assertions";
import { z } from "zod";

const refSchema = z.object({ Ref: z.string() });
const parentSchema = z.union([refSchema, z.object({ "Fn::GetAtt": z.tuple([z.string(), z.string()]) })]);
const resourceSchema = z.object({
  Properties: z.object({ ParentId: parentSchema, PathPart: z.string(), RestApiId: refSchema }),
});
const methodSchema = z.object({
  Properties: z.object({
    HttpMethod: z.string(),
    ResourceId: parentSchema,
    RestApiId: refSchema,
    AuthorizationType: z.string(),
    AuthorizerId: refSchema.optional(),
    RequestValidatorId: refSchema.optional(),
    RequestModels: z.record(z.string(), refSchema).optional(),
    RequestParameters: z.record(z.string(), z.boolean()).optional(),
    Integration: z.object({ Type: z.string(), TimeoutInMillis: z.number(), Uri: z.unknown() }),
  }),
});

export interface Served {
  readonly method: string;
  /** Below the stage, e.g. `/sandboxes/{id}`. */
  readonly resource: string;
  readonly authorization: string;
  readonly authorizer: string | undefined;
  readonly target: "read" | "lifecycle" | "other";
  readonly model: string | undefined;
  readonly validated: boolean;
  readonly parameters: Readonly<Record<string, boolean>>;
  readonly timeoutMs: number;
}

export type DoorName = "KeyDoor" | "IamDoor";

/** Every method of one of the two APIs, with its whole path. */
export function servedBy(template: Template, door: DoorName): readonly Served[] {
  const resources = new Map(
    Object.entries(template.findResources("AWS::ApiGateway::Resource")).map(([id, resource]) => [
      id,
      resourceSchema.parse(resource).Properties,
    ]),
  );
  const pathOf = (id: z.output<typeof parentSchema>): string => {
    const resource = "Ref" in id ? resources.get(id.Ref) : undefined;
    return resource === undefined ? "" : `${pathOf(resource.ParentId)}/${resource.PathPart}`;
  };
  return Object.values(template.findResources("AWS::ApiGateway::Method"))
    .map((method) => methodSchema.parse(method).Properties)
    .filter(({ RestApiId }) => RestApiId.Ref.includes(door))
    .map((method) => ({
      method: method.HttpMethod,
      resource: pathOf(method.ResourceId) || "/",
      authorization: method.AuthorizationType,
      authorizer: method.AuthorizerId?.Ref,
      target: targetOf(JSON.stringify(method.Integration.Uri)),
      model: method.RequestModels?.["application/json"]?.Ref,
      validated: method.RequestValidatorId !== undefined,
      parameters: method.RequestParameters ?? {},
      timeoutMs: method.Integration.TimeoutInMillis,
    }));
}

function targetOf(uri: string): Served["target"] {
  if (uri.includes("ApiReadFunction")) return "read";
  return uri.includes("ApiLifecycleFunction") ? "lifecycle" : "other";
}

const responseSchema = z.object({
  Properties: z.object({
    ResponseType: z.string(),
    StatusCode: z.string().optional(),
    RestApiId: refSchema,
    ResponseParameters: z.record(z.string(), z.string()),
    ResponseTemplates: z.object({ "application/json": z.string() }),
  }),
});

/** API Gateway's own answers of one of the two APIs, by type. */
export function answersOf(template: Template, door: DoorName) {
  return new Map(
    Object.values(template.findResources("AWS::ApiGateway::GatewayResponse"))
      .map((response) => responseSchema.parse(response).Properties)
      .filter(({ RestApiId }) => RestApiId.Ref.includes(door))
      .map((one) => [one.ResponseType, one]),
  );
}
