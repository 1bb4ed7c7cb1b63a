import { FlowLogDestination, FlowLogTrafficType, type Vpc } from "aws-cdk-lib/aws-ec2";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { acknowledge, inlinePolicy } from "../acknowledge.ts";
import type { DeploymentConfig } from "../config.ts";
import { encryptedLogGroup } from "./log-group.ts";

/** Records every connection of a VPC, accepted or refused. */
export class FlowLogs extends Construct {
  constructor(scope: Construct, id: string, props: { config: DeploymentConfig; vpc: Vpc; key: IKey }) {
    super(scope, id);
    const logGroup = encryptedLogGroup(this, "Records", props);
    const flowLog = props.vpc.addFlowLog("FlowLog", {
      destination: FlowLogDestination.toCloudWatchLogs(logGroup),
      trafficType: FlowLogTrafficType.ALL,
    });
    acknowledge(flowLog, inlinePolicy);
  }
}
