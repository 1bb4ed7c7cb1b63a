import type { AwsGrantBody } from "#contracts/control/network.ts";
import { BulkheadError } from "#contracts/errors.ts";

/** AWS takes a session policy of no more characters than these, spaces included. */
const maxLength = 2_048;

/** Who may be what is not a sandbox's to ask, whatever the deployment's role allows. */
const neverGranted: ReadonlySet<string> = new Set(["account", "iam", "organizations", "signin", "sso", "sts"]);

/** `s3` of `s3:GetObject`. */
export function actionPrefix(action: string): string {
  return action.slice(0, action.indexOf(":"));
}

/**
 * The grants as the IAM policy of a role session: what it may do is what both the role and this allow.
 * @throws BulkheadError INVALID_REQUEST for grants that are longer than AWS takes, or that no sandbox can have
 */
export function sessionPolicy(grants: readonly AwsGrantBody[]): string {
  const refused = grants.flatMap(({ actions }) => actions).find((action) => neverGranted.has(actionPrefix(action)));
  if (refused !== undefined) throw invalid(`The AWS action ${refused} cannot be granted to a sandbox.`);
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: grants.map(({ actions, resources }) => ({
      Effect: "Allow",
      Action: [...new Set(actions)],
      Resource: [...new Set(resources)],
    })),
  });
  if (policy.length <= maxLength) return policy;
  throw invalid(
    `The AWS grants are ${policy.length} characters long as an IAM policy; AWS takes ${maxLength}. Use fewer, or wildcards.`,
  );
}

function invalid(message: string): BulkheadError {
  return new BulkheadError("INVALID_REQUEST", message, { details: { issues: [{ path: "network.aws", message }] } });
}
