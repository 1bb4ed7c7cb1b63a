import type { Template } from "aws-cdk-lib/assertions";
import { z } from "zod";
import { flattenReference } from "../../../infra/constructs/functions/flatten-reference.ts";

/** A statement of a role, with every resource as one text. */
export interface Allowed {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const list = <T extends z.ZodType>(one: T) => z.union([one, z.array(one)]).transform((value) => [value].flat());
const statementSchema = z.object({
  Effect: z.enum(["Allow", "Deny"]),
  Action: list(z.string()),
  Resource: list(z.unknown()),
  Condition: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
});
const roleSchema = z.object({
  Properties: z.object({
    AssumeRolePolicyDocument: z.unknown(),
    ManagedPolicyArns: z.array(z.unknown()).default([]),
    Policies: z.array(z.object({ PolicyDocument: z.object({ Statement: z.array(statementSchema) }) })).default([]),
  }),
});

export interface Role {
  readonly id: string;
  readonly trust: string;
  readonly managed: number;
  readonly allows: readonly Allowed[];
  readonly denies: readonly Allowed[];
  /** As IAM counts it. */
  readonly policyLength: number;
}

/** Every role of a template, by logical id. */
export function rolesOf(template: Template): readonly Role[] {
  return Object.entries(template.findResources("AWS::IAM::Role")).map(([id, resource]) => {
    const { AssumeRolePolicyDocument, ManagedPolicyArns, Policies } = roleSchema.parse(resource).Properties;
    const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
    const of = (effect: "Allow" | "Deny") => statements.filter((one) => one.Effect === effect).map(allowed);
    return {
      id,
      trust: JSON.stringify(AssumeRolePolicyDocument),
      managed: ManagedPolicyArns.length,
      allows: of("Allow"),
      denies: of("Deny"),
      policyLength: JSON.stringify(of("Allow")).length,
    };
  });
}

function allowed(statement: z.output<typeof statementSchema>): Allowed {
  return {
    actions: statement.Action,
    resources: statement.Resource.map(flattenReference),
    conditions: statement.Condition,
  };
}

/** The role whose logical id contains a text. */
export function roleOf(template: Template, part: string): Role {
  const found = rolesOf(template).filter(({ id }) => id.includes(part));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} roles for ${part}`);
  return found[0];
}

export function actionsOf(role: Role): string[] {
  return [...new Set(role.allows.flatMap(({ actions }) => actions))].sort();
}
