import { Duration, Stack } from "aws-cdk-lib";
import type { ApplicationLoadBalancer } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import { dataRemoval } from "../../removal.ts";

export interface ConnectionLogsProps {
  readonly config: DeploymentConfig;
  readonly balancer: ApplicationLoadBalancer;
}

const prefix = "gateway";

/**
 * Who connected to the gateway's load balancer, when and with which TLS. Not its access log: that one holds whole addresses of requests,
 * and a preview's first address carries the sandbox's token, which is to stand in no log.
 */
export class ConnectionLogs extends Construct {
  constructor(scope: Construct, id: string, { config, balancer }: ConnectionLogsProps) {
    super(scope, id);
    const bucket = new Bucket(this, "Bucket", {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      // Load balancers deliver under S3's own keys only.
      encryption: BucketEncryption.S3_MANAGED,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      versioned: true,
      lifecycleRules: [
        { expiration: Duration.days(config.logRetentionDays), noncurrentVersionExpiration: Duration.days(1) },
      ],
      removalPolicy: dataRemoval(config),
      autoDeleteObjects: !config.retainData,
    });
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: "LoadBalancersOfThisAccount",
        principals: [new ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
        actions: ["s3:PutObject"],
        resources: [bucket.arnForObjects(`${prefix}/AWSLogs/${Stack.of(this).account}/*`)],
      }),
    );
    // By attribute: the construct's own method wants to know the region, for accounts that load balancers no longer deliver from.
    balancer.setAttribute("connection_logs.s3.enabled", "true");
    balancer.setAttribute("connection_logs.s3.bucket", bucket.bucketName);
    balancer.setAttribute("connection_logs.s3.prefix", prefix);
    if (bucket.policy !== undefined) balancer.node.addDependency(bucket.policy);
    const logBucket =
      "It holds logs of connections, not of requests: no names, no content; it ends with their retention.";
    acknowledge(bucket, {
      "AwsSolutions-S1": logBucket,
      "NIST.800.53.R5-S3BucketLoggingEnabled": logBucket,
      "NIST.800.53.R5-S3BucketReplicationEnabled": logBucket,
      "NIST.800.53.R5-S3DefaultEncryptionKMS": "Load balancers deliver logs only to buckets with S3's own encryption.",
    });
  }
}
