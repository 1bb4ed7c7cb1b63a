import { Duration } from "aws-cdk-lib";
import {
  AllowedMethods,
  CachePolicy,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HttpVersion,
  OriginProtocolPolicy,
  OriginRequestPolicy,
  ResponseHeadersPolicy,
  ViewerProtocolPolicy,
} from "aws-cdk-lib/aws-cloudfront";
import { VpcOrigin } from "aws-cdk-lib/aws-cloudfront-origins";
import { CfnSecurityGroupIngress, type IVpc } from "aws-cdk-lib/aws-ec2";
import { ApplicationProtocol } from "aws-cdk-lib/aws-elasticloadbalancingv2";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { Balancer } from "./balancer.ts";
import { OriginGroup } from "./origin-group.ts";

export interface FrontProps {
  readonly config: DeploymentConfig;
  readonly vpc: IVpc;
  readonly balancer: Balancer;
  readonly logKey: IKey;
}

const originPort = 80;

/**
 * The way in without a domain: CloudFront's own name and certificate in front of a load balancer that has no public address. CloudFront
 * reaches it through network interfaces of its own in the VPC; nothing else may connect.
 */
export class CloudFrontFront extends Construct {
  readonly url: string;

  constructor(scope: Construct, id: string, { config, vpc, balancer, logKey }: FrontProps) {
    super(scope, id);
    const listener = balancer.balancer.addListener("VpcOrigin", {
      port: originPort,
      protocol: ApplicationProtocol.HTTP,
      open: false,
      defaultTargetGroups: [balancer.targets],
    });
    const origin = VpcOrigin.withApplicationLoadBalancer(balancer.balancer, {
      // There is no certificate for a name that is not ours; the way is inside of AWS's network and this VPC.
      protocolPolicy: OriginProtocolPolicy.HTTP_ONLY,
      httpPort: originPort,
      // The longest that CloudFront waits for a byte without being asked for more (quota).
      readTimeout: Duration.seconds(120),
      keepaliveTimeout: Duration.seconds(60),
    });
    const distribution = new Distribution(this, "Distribution", {
      comment: `${config.deployment}: gateway`,
      httpVersion: HttpVersion.HTTP2,
      enableIpv6: true,
      defaultBehavior: {
        origin,
        allowedMethods: AllowedMethods.ALLOW_ALL,
        cachePolicy: CachePolicy.CACHING_DISABLED,
        // Authorization, cookies, query and the headers of WebSockets; Host stays the load balancer's.
        originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        viewerProtocolPolicy: ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        responseHeadersPolicy: this.headers(),
        functionAssociations: [{ eventType: FunctionEventType.VIEWER_REQUEST, function: this.tellsHost() }],
        // Answers pass as they are: compressing would hold back streams.
        compress: false,
      },
    });
    distribution.node.addDependency(listener);
    acknowledge(distribution, exceptions);
    acknowledge(listener, { "NIST.800.53.R5-ELBv2ACMCertificateRequired": plain });
    acknowledge(balancer.balancer, { "NIST.800.53.R5-ALBHttpToHttpsRedirection": plain });
    const group = new OriginGroup(this, "OriginGroup", { config, vpc, logKey });
    group.node.addDependency(distribution);
    new CfnSecurityGroupIngress(this, "FromCloudFront", {
      groupId: balancer.securityGroup.securityGroupId,
      sourceSecurityGroupId: group.id,
      ipProtocol: "tcp",
      fromPort: originPort,
      toPort: originPort,
      description: "interfaces of CloudFront in this VPC",
    });
    this.url = `https://${distribution.distributionDomainName}`;
  }

  /** Host has to be the load balancer's own, so what the viewer asked for travels beside it, as servers of previews look for it. */
  private tellsHost(): EdgeFunction {
    return new EdgeFunction(this, "TellsHost", {
      comment: "Tells servers behind the gateway the name that the viewer asked for",
      runtime: FunctionRuntime.JS_2_0,
      code: FunctionCode.fromInline(tellHost),
    });
  }

  /** Nothing that could break the page of a preview: framing, types and scripts are its own affair. */
  private headers(): ResponseHeadersPolicy {
    return new ResponseHeadersPolicy(this, "Headers", {
      securityHeadersBehavior: {
        strictTransportSecurity: {
          accessControlMaxAge: Duration.days(365),
          includeSubdomains: false,
          override: false,
        },
      },
    });
  }
}

const tellHost = `function handler(event) {
  var request = event.request;
  request.headers["x-forwarded-host"] = { value: request.headers.host.value };
  return request;
}
`;

const plain =
  "Reached by CloudFront's VPC origin only, inside of this VPC; without a domain there is no certificate for its name. Viewers speak TLS to CloudFront.";

const exceptions = {
  "AwsSolutions-CFR1": "Sandboxes are for whoever holds a token, wherever they are.",
  "AwsSolutions-CFR2":
    "Only a sandbox's token opens anything here. Bodies of 100 MB, streams and WebSockets pass through, of which a WAF reads the first kilobytes.",
  "AwsSolutions-CFR3":
    "Its log holds whole addresses, and a preview's first one carries a sandbox token. The load balancer behind logs connections.",
  "AwsSolutions-CFR4":
    "CloudFront's own name comes with CloudFront's choice of TLS versions; who needs another gives a domain.",
};
