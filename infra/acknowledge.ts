import { Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** A rule's id (for cdk-nag with its finding, e.g. `AwsSolutions-IAM5[Resource::*]`) and why it does not hold here. */
export type Exceptions = Readonly<Record<string, string>>;

/** Excepts a construct, and what is below it, from rules, each for a written reason. There is no way to except a whole app. */
export function acknowledge(construct: IConstruct, exceptions: Exceptions): void {
  for (const [id, reason] of Object.entries(exceptions)) Validations.of(construct).acknowledge({ id, reason });
}

/** For what CDK's grants make: policies written into the one role they are for. */
export const inlinePolicy: Exceptions = {
  "NIST.800.53.R5-IAMNoInlinePolicy":
    "It belongs to one role, is made from that role's grants and goes with it; a managed policy could be attached to others.",
};
