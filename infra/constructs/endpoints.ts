import { Stack } from "aws-cdk-lib";
import {
  GatewayVpcEndpoint,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  type ISecurityGroup,
  type Vpc,
} from "aws-cdk-lib/aws-ec2";
import { AnyPrincipal, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";

/**
 * The AWS services a task needs to start, and no other: ECR's two and S3 for image layers. User code reaches the same endpoints, so
 * each carries a policy: images of this account may be pulled, by this account's principals; from S3 only ECR's layer bucket is read.
 */
export class Endpoints extends Construct {
  readonly s3: GatewayVpcEndpoint;

  constructor(scope: Construct, id: string, props: { vpc: Vpc; securityGroup: ISecurityGroup }) {
    super(scope, id);
    const { vpc, securityGroup } = props;
    const services = { EcrApi: InterfaceVpcEndpointAwsService.ECR, EcrDkr: InterfaceVpcEndpointAwsService.ECR_DOCKER };
    for (const [name, service] of Object.entries(services)) {
      const endpoint = new InterfaceVpcEndpoint(this, name, {
        vpc,
        service,
        subnets: { subnets: vpc.isolatedSubnets },
        securityGroups: [securityGroup],
        // The group's own rule is enough.
        open: false,
        privateDnsEnabled: true,
      });
      for (const statement of this.imagePull()) endpoint.addToPolicy(statement);
    }
    this.s3 = new GatewayVpcEndpoint(this, "S3", {
      vpc,
      service: GatewayVpcEndpointAwsService.S3,
      subnets: [{ subnets: vpc.isolatedSubnets }],
    });
    this.s3.addToPolicy(this.layers());
  }

  private imagePull(): PolicyStatement[] {
    const { account, region, partition } = Stack.of(this);
    const conditions = { StringEquals: { "aws:PrincipalAccount": account } };
    const principals = [new AnyPrincipal()];
    return [
      new PolicyStatement({
        sid: "PullImagesOfThisAccount",
        principals,
        actions: ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        resources: [`arn:${partition}:ecr:${region}:${account}:repository/*`],
        conditions,
      }),
      // The action knows no resource.
      new PolicyStatement({
        sid: "LogInToRegistry",
        principals,
        actions: ["ecr:GetAuthorizationToken"],
        resources: ["*"],
        conditions,
      }),
    ];
  }

  /** The bucket belongs to ECR and its name is documented (AmazonECR/latest/userguide/vpc-endpoints.html). */
  private layers(): PolicyStatement {
    const { region, partition } = Stack.of(this);
    return new PolicyStatement({
      sid: "ReadImageLayers",
      principals: [new AnyPrincipal()],
      actions: ["s3:GetObject"],
      resources: [`arn:${partition}:s3:::${layerBucket(region)}/*`],
    });
  }
}

export function layerBucket(region: string): string {
  return `prod-${region}-starport-layer-bucket`;
}
