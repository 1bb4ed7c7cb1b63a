import type { Construct } from "constructs";
import type { DeploymentConfig } from "../../config.ts";
import { authorityRights, secretRights } from "../functions/key-rights.ts";
import type { Right } from "../functions/right.ts";
import type { PlatformState } from "../parts.ts";
import { accessRoleArnOf } from "./sandbox-access.ts";

/** What the egress proxy puts into requests: projects' secrets, certificates of its CA, signatures of sandboxes' own sessions. */
export function brokerRights(scope: Construct, config: DeploymentConfig, state: PlatformState): Right[] {
  return [
    ...secretRights(state.keys.data, config.deployment),
    {
      actions: ["dynamodb:GetItem"],
      resources: [state.table.tableArn],
      conditions: { "ForAllValues:StringEquals": { "dynamodb:LeadingKeys": ["CONFIG"] } },
    },
    ...authorityRights(state.keys.data, config.deployment, "kms:Decrypt"),
    { actions: ["sts:AssumeRole", "sts:TagSession"], resources: [accessRoleArnOf(scope, config)] },
  ];
}
