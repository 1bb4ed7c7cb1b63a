import type { Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { flattenReference } from "./flatten-reference.ts";

type Conditions = Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;

/** One thing a function's role may do. */
export interface Right {
  /** Whole names: no wildcard. */
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Conditions;
  /** Why a resource has a wildcard. Required where one has. */
  readonly because?: string;
}

/** @throws Error for a wildcard in an action, or one in a resource that nobody gave a reason for */
export function statementOf(right: Right): PolicyStatement {
  const { actions, resources, conditions, because } = right;
  if (actions.some((action) => action.includes("*"))) throw new Error(`wildcard action: ${actions.join(", ")}`);
  if (because === undefined && resources.some((resource) => resource.includes("*"))) {
    throw new Error(`wildcard resource without a reason: ${actions.join(", ")}`);
  }
  return new PolicyStatement({
    effect: Effect.ALLOW,
    actions: [...actions],
    resources: [...resources],
    ...(conditions !== undefined && { conditions }),
  });
}

/** The reasons as cdk-nag asks for them: one per wildcard that it finds. */
export function wildcardReasons(stack: Stack, rights: readonly Right[]): Record<string, string> {
  const reasons = new Map<string, string[]>();
  for (const { resources, because } of rights) {
    if (because === undefined) continue;
    for (const resource of resources.map((one) => flattenReference(stack.resolve(one)))) {
      if (!resource.includes("*")) continue;
      const known = reasons.get(resource) ?? [];
      if (!known.includes(because)) reasons.set(resource, [...known, because]);
    }
  }
  return Object.fromEntries(
    [...reasons].map(([resource, texts]) => [`AwsSolutions-IAM5[Resource::${resource}]`, texts.join(" ")]),
  );
}

/** For roles whose policy stands in them. */
export const policyInRole = {
  "NIST.800.53.R5-IAMNoInlinePolicy":
    "The policy is one role's whole truth and is made and removed with it; a managed policy could be attached to others.",
};
