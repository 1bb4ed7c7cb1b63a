import { z } from "zod";

/** Everything a deployment may choose, read from CDK context (`-c name=value`) once and passed on whole. */
const deploymentSchema = z.object({
  /** Names the stacks and tags every object; one account may hold several deployments. */
  deployment: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,20}$/, "lowercase letters, digits and hyphens, 2 to 21 characters")
    .default("bulkhead"),
});
export type DeploymentConfig = z.infer<typeof deploymentSchema>;

/** @throws Error that lists every bad value at once */
export function parseDeploymentConfig(context: Record<string, unknown>): DeploymentConfig {
  const parsed = deploymentSchema.safeParse(context);
  if (!parsed.success) throw new Error(`Bad CDK context:\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
