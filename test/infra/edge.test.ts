import { runInNewContext } from "node:vm";
import { Match, type Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { egressProxyEnvSchema } from "../../src/edge/egress-proxy/env.ts";
import { gatewayEnvSchema } from "../../src/edge/gateway/env.ts";
import { edgeImage, edgeStack } from "./support/edge.ts";
import { idleAcknowledgements, unacknowledgedFindings } from "./support/nag.ts";
import { actionsOf, flat, type Properties, resourcesOf, statementsOf, theResource } from "./support/resources.ts";

const domain = { domain: "sandboxes.example.com", hostedZoneId: "Z0123456789ABC" };
const variants = {
  dev: edgeStack(),
  prod: edgeStack({ profile: "prod" }),
  "dev with a domain": edgeStack(domain),
  "prod with a domain": edgeStack({ profile: "prod", ...domain }),
  "with a certificate from elsewhere": edgeStack({
    domain: domain.domain,
    certificateArn: "arn:aws:acm:us-east-1:123456789012:certificate/1",
  }),
};
type Variant = keyof typeof variants;
const all = Object.keys(variants) as Variant[];
const withoutDomain: Variant[] = ["dev", "prod"];
const withDomain = all.filter((name) => !withoutDomain.includes(name));

interface Container {
  readonly Environment: readonly { Name: string; Value: unknown }[];
  readonly [property: string]: unknown;
}

const containersOf = (template: Template): Container[] =>
  resourcesOf(template, "AWS::ECS::TaskDefinition").flatMap(
    ({ properties }) => properties["ContainerDefinitions"] as Container[],
  );

/** Attributes of a load balancer or target group as a record. */
const attributesOf = (properties: Properties, list: string): Record<string, unknown> =>
  Object.fromEntries((properties[list] as { Key: string; Value: unknown }[]).map(({ Key, Value }) => [Key, Value]));

/** Rules that let something in, wherever they are written. */
function inboundOf(template: Template): Properties[] {
  const inline = resourcesOf(template, "AWS::EC2::SecurityGroup").flatMap(
    ({ properties }) => (properties["SecurityGroupIngress"] ?? []) as Properties[],
  );
  return [...inline, ...resourcesOf(template, "AWS::EC2::SecurityGroupIngress").map(({ properties }) => properties)];
}

describe.each(all)("%s", (name) => {
  const { template, stack } = variants[name];

  it("leaves cdk-nag without a finding, and no exception without a use", () => {
    expect(unacknowledgedFindings(stack)).toEqual([]);
    expect(idleAcknowledgements(stack)).toEqual([]);
  });

  it("runs tasks that can write nothing, hold no capability and are told apart by arm64 and digest", () => {
    const containers = containersOf(template);
    expect(containers.map((container) => container["Name"])).toEqual(["gateway", "egress-proxy"]);
    for (const container of containers) {
      expect(container).toMatchObject({
        Image: edgeImage,
        ReadonlyRootFilesystem: true,
        LinuxParameters: { Capabilities: { Drop: ["ALL"] }, InitProcessEnabled: true },
        StopTimeout: 120,
        LogConfiguration: { LogDriver: "awslogs" },
      });
      expect(container["MountPoints"]).toBeUndefined();
      expect(container["Secrets"]).toBeUndefined();
    }
    for (const { properties } of resourcesOf(template, "AWS::ECS::TaskDefinition")) {
      expect(properties["RuntimePlatform"]).toEqual({ CpuArchitecture: "ARM64", OperatingSystemFamily: "LINUX" });
    }
  });

  it("asks each container for its health by a program that the image has", () => {
    for (const container of containersOf(template)) {
      const health = container["HealthCheck"] as { Command: string[] };
      expect(health.Command.slice(0, 3)).toEqual(["CMD", "/bin/node", "/app/health.mjs"]);
      const port = container["Name"] === "gateway" ? "BULKHEAD_PORT" : "BULKHEAD_HEALTH_PORT";
      expect(health.Command[3]).toBe(container.Environment.find((one) => one.Name === port)?.Value);
    }
  });

  it("gives each program the environment that it asks for", () => {
    const [gateway, proxy] = containersOf(template).map(({ Environment }) =>
      Object.fromEntries(Environment.map(({ Name, Value }) => [Name, flat(Value)])),
    );
    expect(gatewayEnvSchema.safeParse(gateway).error).toBeUndefined();
    expect(egressProxyEnvSchema.safeParse(proxy).error).toBeUndefined();
    const unknown = (given: object = {}, asked: object) => Object.keys(given).filter((name) => !(name in asked));
    expect(unknown(gateway, gatewayEnvSchema.shape)).toEqual([]);
    expect(unknown(proxy, egressProxyEnvSchema.shape)).toEqual([]);
  });

  it("encrypts every log group", () => {
    const groups = resourcesOf(template, "AWS::Logs::LogGroup");
    expect(groups.length).toBeGreaterThanOrEqual(2);
    for (const { properties } of groups) expect(properties["KmsKeyId"]).toBeDefined();
  });

  it("takes back a deployment that does not come up, and never has fewer tasks meanwhile", () => {
    for (const { properties } of resourcesOf(template, "AWS::ECS::Service")) {
      expect(properties["DeploymentConfiguration"]).toEqual({
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MinimumHealthyPercent: 100,
        MaximumPercent: 200,
      });
      expect(properties["EnableExecuteCommand"]).toBe(false);
    }
  });

  it("makes the cluster's capacity providers before a service uses them", () => {
    const { id } = theResource(template, "AWS::ECS::ClusterCapacityProviderAssociations");
    const services = Object.values(template.findResources("AWS::ECS::Service")) as { DependsOn?: string[] }[];
    expect(services).toHaveLength(2);
    for (const service of services) expect(service.DependsOn).toContain(id);
  });

  it("lets tasks drain: five minutes for what is open, silence for more than an hour", () => {
    const targets = theResource(template, "AWS::ElasticLoadBalancingV2::TargetGroup").properties;
    expect(targets).toMatchObject({ Port: 8080, Protocol: "HTTP", TargetType: "ip", HealthCheckPath: "/health" });
    expect(attributesOf(targets, "TargetGroupAttributes")).toMatchObject({
      "deregistration_delay.timeout_seconds": "300",
    });
    const balancer = theResource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer").properties;
    expect(attributesOf(balancer, "LoadBalancerAttributes")).toMatchObject({
      "idle_timeout.timeout_seconds": "4000",
      "routing.http.drop_invalid_header_fields.enabled": "true",
    });
  });

  it("logs connections, and not addresses of requests: they may carry tokens", () => {
    const { properties } = theResource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer");
    const attributes = attributesOf(properties, "LoadBalancerAttributes");
    const bucket = theResource(template, "AWS::S3::Bucket");
    expect(attributes).toMatchObject({
      "connection_logs.s3.enabled": "true",
      "connection_logs.s3.bucket": { Ref: bucket.id },
    });
    expect(attributes["access_logs.s3.enabled"]).toBeUndefined();
    const policy = theResource(template, "AWS::S3::BucketPolicy").properties["PolicyDocument"];
    const allowed = statementsOf(policy).filter((one) => actionsOf(one).includes("s3:PutObject"));
    expect(allowed.map(({ Principal }) => Principal)).toEqual([
      { Service: "logdelivery.elasticloadbalancing.amazonaws.com" },
    ]);
    expect(flat(allowed[0]?.Resource)).toMatch(/\/gateway\/AWSLogs\/\$\{AWS::AccountId\}\/\*$/);
  });

  it("lets the load balancer out to the gateway only, and the gateway in from the load balancer only", () => {
    const group = theResource(template, "AWS::EC2::SecurityGroup", "EdgeBalancer");
    const egress = group.properties["SecurityGroupEgress"] as Properties[];
    expect(egress).toHaveLength(1);
    expect(egress[0]).toMatchObject({ FromPort: 8080, ToPort: 8080, IpProtocol: "tcp" });
    const gateway = JSON.stringify(egress[0]?.["DestinationSecurityGroupId"]);
    const rules = resourcesOf(template, "AWS::EC2::SecurityGroupIngress").map(({ properties }) => properties);
    expect(rules.filter((rule) => JSON.stringify(rule["GroupId"]) === gateway)).toMatchObject([
      { FromPort: 8080, ToPort: 8080, SourceSecurityGroupId: { "Fn::GetAtt": [group.id, "GroupId"] } },
    ]);
    expect(template.findResources("AWS::EC2::SecurityGroupEgress")).toEqual({});
  });

  it("adds no rule to the network's stack", () => {
    const { networkTemplate } = variants[name];
    const onTheGateway = resourcesOf(networkTemplate, "AWS::EC2::SecurityGroupIngress").filter(
      ({ properties }) => properties["FromPort"] === 8080,
    );
    expect(onTheGateway).toEqual([]);
  });
});

describe.each(withoutDomain)("without a domain (%s)", (name) => {
  const { template, edge } = variants[name];

  it("nothing is open to the internet", () => {
    expect(
      inboundOf(template).filter((rule) => rule["CidrIp"] !== undefined || rule["CidrIpv6"] !== undefined),
    ).toEqual([]);
    const { properties } = theResource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer");
    expect(properties["Scheme"]).toBe("internal");
    expect(JSON.stringify(properties["Subnets"])).not.toContain("edgeSubnet");
  });

  it("the one listener in the clear is reached by CloudFront's interfaces only", () => {
    const listeners = resourcesOf(template, "AWS::ElasticLoadBalancingV2::Listener");
    expect(listeners.map(({ properties }) => [properties["Protocol"], properties["Port"]])).toEqual([["HTTP", 80]]);
    const balancer = theResource(template, "AWS::EC2::SecurityGroup", "EdgeBalancer");
    const rules = inboundOf(template).filter((rule) => flat(rule["GroupId"]) === `\${${balancer.id}.GroupId}`);
    expect(rules).toHaveLength(1);
    expect(flat(rules[0]?.["SourceSecurityGroupId"])).toMatch(/OriginGroup.*SecurityGroups\.0\.GroupId/);
    template.hasResourceProperties("AWS::CloudFront::VpcOrigin", {
      VpcOriginEndpointConfig: { OriginProtocolPolicy: "http-only", HTTPPort: 80 },
    });
  });

  it("asks for CloudFront's security group once the distribution is there", () => {
    const distribution = theResource(template, "AWS::CloudFront::Distribution").id;
    const [lookup] = Object.values(template.findResources("Custom::OriginGroup")) as { DependsOn: string[] }[];
    expect(lookup?.DependsOn).toContain(distribution);
  });

  it("CloudFront speaks TLS, caches nothing, keeps every method, header, cookie and query, and waits two minutes", () => {
    const { DistributionConfig } = theResource(template, "AWS::CloudFront::Distribution").properties as {
      DistributionConfig: Properties;
    };
    expect(DistributionConfig["DefaultCacheBehavior"]).toMatchObject({
      AllowedMethods: ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
      // Managed policies: CachingDisabled, AllViewerExceptHostHeader.
      CachePolicyId: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
      OriginRequestPolicyId: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
      ViewerProtocolPolicy: "redirect-to-https",
      Compress: false,
    });
    expect(DistributionConfig["Origins"]).toMatchObject([{ VpcOriginConfig: { OriginReadTimeout: 120 } }]);
    expect(DistributionConfig["Logging"]).toBeUndefined();
    template.hasResourceProperties("AWS::CloudFront::ResponseHeadersPolicy", {
      ResponseHeadersPolicyConfig: {
        // Anything else could break a page of a preview.
        SecurityHeadersConfig: { StrictTransportSecurity: Match.objectLike({ Override: false }) },
      },
    });
  });

  it("CloudFront tells the name that viewers asked for, whatever they say it is", () => {
    const { id, properties } = theResource(template, "AWS::CloudFront::Function");
    template.hasResourceProperties("AWS::CloudFront::Distribution", {
      DistributionConfig: {
        DefaultCacheBehavior: {
          FunctionAssociations: [{ EventType: "viewer-request", FunctionARN: { "Fn::GetAtt": [id, "FunctionARN"] } }],
        },
      },
    });
    const handler = runInNewContext(`${String(properties["FunctionCode"])}; handler`) as (event: unknown) => unknown;
    const headers = { host: { value: "d1.cloudfront.net" }, "x-forwarded-host": { value: "evil.example" } };
    expect(handler({ request: { method: "GET", uri: "/p/1/2", headers } })).toMatchObject({
      uri: "/p/1/2",
      headers: { "x-forwarded-host": { value: "d1.cloudfront.net" } },
    });
  });

  it("is found under CloudFront's name", () => {
    expect(flat(variants[name].stack.resolve(edge.gatewayUrl))).toMatch(/^https:\/\/\$\{Edge.*\.DomainName\}$/);
    expect(edge.domain).toBeNull();
  });
});

describe.each(withDomain)("%s: with one", (name) => {
  const { template, edge } = variants[name];

  it("the internet reaches 443, and 80 to be sent there", () => {
    const open = inboundOf(template).filter((rule) => rule["CidrIp"] !== undefined);
    expect(open.map((rule) => [rule["CidrIp"], rule["FromPort"], rule["ToPort"]])).toEqual([
      ["0.0.0.0/0", 443, 443],
      ["0.0.0.0/0", 80, 80],
    ]);
    template.resourceCountIs("AWS::ElasticLoadBalancingV2::Listener", 2);
    template.hasResourceProperties("AWS::ElasticLoadBalancingV2::Listener", {
      Port: 443,
      Protocol: "HTTPS",
      SslPolicy: Match.stringLikeRegexp("^ELBSecurityPolicy-TLS13-1-2-"),
      Certificates: [{ CertificateArn: Match.anyValue() }],
    });
    template.hasResourceProperties("AWS::ElasticLoadBalancingV2::Listener", {
      Port: 80,
      DefaultActions: [
        { Type: "redirect", RedirectConfig: { Protocol: "HTTPS", Port: "443", StatusCode: "HTTP_301" } },
      ],
    });
    template.resourceCountIs("AWS::CloudFront::Distribution", 0);
  });

  it("is found under it", () => {
    expect(edge.gatewayUrl).toBe(`https://${domain.domain}`);
    expect(edge.domain).toBe(domain.domain);
  });
});

describe("certificate and records", () => {
  it("are made in the zone that the configuration names", () => {
    const { template } = variants["dev with a domain"];
    template.hasResourceProperties("AWS::CertificateManager::Certificate", {
      DomainName: domain.domain,
      SubjectAlternativeNames: [`*.${domain.domain}`],
      DomainValidationOptions: [{ DomainName: domain.domain, HostedZoneId: domain.hostedZoneId }],
    });
    for (const name of [`${domain.domain}.`, `*.${domain.domain}.`]) {
      template.hasResourceProperties("AWS::Route53::RecordSet", {
        Name: name,
        HostedZoneId: domain.hostedZoneId,
        Type: "A",
      });
    }
  });

  it("are left to others when there is no zone; the output says where names must point", () => {
    const { template } = variants["with a certificate from elsewhere"];
    template.resourceCountIs("AWS::CertificateManager::Certificate", 0);
    template.resourceCountIs("AWS::Route53::RecordSet", 0);
    expect(
      Object.keys(template.findOutputs("*", { Description: Match.stringLikeRegexp("Point .* here") })),
    ).toHaveLength(1);
  });
});

describe("profiles", () => {
  it("dev: one task each on Spot, no scaling, all goes with the stack", () => {
    const { template } = variants.dev;
    for (const { properties } of resourcesOf(template, "AWS::ECS::Service")) {
      expect(properties).toMatchObject({
        DesiredCount: 1,
        CapacityProviderStrategy: [{ CapacityProvider: "FARGATE_SPOT" }],
      });
    }
    template.resourceCountIs("AWS::ApplicationAutoScaling::ScalableTarget", 0);
    for (const { deletionPolicy } of [
      ...resourcesOf(template, "AWS::Logs::LogGroup"),
      ...resourcesOf(template, "AWS::S3::Bucket"),
    ]) {
      expect(deletionPolicy).toBe("Delete");
    }
    template.resourceCountIs("Custom::S3AutoDeleteObjects", 1);
    template.hasResourceProperties("AWS::ECS::TaskDefinition", { Cpu: "256", Memory: "512" });
  });

  it("prod: two tasks each on demand that grow with CPU and memory, a load balancer that is not deleted by mistake", () => {
    const { template } = variants.prod;
    for (const { properties } of resourcesOf(template, "AWS::ECS::Service")) {
      expect(properties).toMatchObject({
        DesiredCount: 2,
        CapacityProviderStrategy: [{ CapacityProvider: "FARGATE" }],
      });
    }
    template.resourceCountIs("AWS::ApplicationAutoScaling::ScalableTarget", 2);
    template.resourceCountIs("AWS::ApplicationAutoScaling::ScalingPolicy", 4);
    const { properties } = theResource(template, "AWS::ElasticLoadBalancingV2::LoadBalancer");
    expect(attributesOf(properties, "LoadBalancerAttributes")).toMatchObject({ "deletion_protection.enabled": "true" });
    expect(theResource(template, "AWS::S3::Bucket").deletionPolicy).toMatch(/^Retain/);
  });
});

describe("the way out", () => {
  it("has a name in a zone of the sandbox VPC, and the port that the network lets through", () => {
    const { template, edge } = edgeStack({ deployment: "other" });
    expect(edge.egressProxy).toEqual({ host: "egress.other.internal", port: 3128 });
    const { properties } = theResource(template, "AWS::ServiceDiscovery::PrivateDnsNamespace");
    expect(properties["Name"]).toBe("other.internal");
    expect(JSON.stringify(properties["Vpc"])).toContain("SandboxVpc");
    template.hasResourceProperties("AWS::ServiceDiscovery::Service", {
      Name: "egress",
      DnsConfig: { DnsRecords: [{ Type: "A", TTL: 10 }], RoutingPolicy: "MULTIVALUE" },
    });
  });
});
