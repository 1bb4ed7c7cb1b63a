import { Match, type Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { foundationTemplates } from "./support/app.ts";
import { actionsOf, flat, type Resource, resourcesOf, statementsOf, theResource } from "./support/resources.ts";

const templates = {
  dev: foundationTemplates({ profile: "dev" }).network,
  prod: foundationTemplates({ profile: "prod" }).network,
};
const sandboxCidr = "10.92.0.0/16";

function belongsToSandbox({ id }: Resource): boolean {
  return id.startsWith("Sandbox");
}

/** Rules of a security group, those inside it and those beside it. */
function rulesOf(template: Template, name: string, direction: "Ingress" | "Egress"): Record<string, unknown>[] {
  const group = theResource(template, "AWS::EC2::SecurityGroup", `SecurityGroups${name}`);
  const inline = (group.properties[`SecurityGroup${direction}`] ?? []) as Record<string, unknown>[];
  const beside = resourcesOf(template, `AWS::EC2::SecurityGroup${direction}`)
    .map(({ properties }) => properties)
    .filter((properties) => JSON.stringify(properties["GroupId"]).includes(group.id));
  return [...inline, ...beside];
}

/** CDK's way to write "no rule at all": AWS opens a group that has none. */
const nothingGetsOut = { CidrIp: "255.255.255.255/32", IpProtocol: "icmp", FromPort: 252, ToPort: 86 };

describe.each(["dev", "prod"] as const)("the sandbox VPC in profile %s", (profile) => {
  const template = templates[profile];

  it("has no internet gateway, no NAT and no route to either", () => {
    template.resourceCountIs("AWS::EC2::NatGateway", 0);
    template.resourceCountIs("AWS::EC2::EgressOnlyInternetGateway", 0);
    const attachments = resourcesOf(template, "AWS::EC2::VPCGatewayAttachment");
    expect(attachments.map(({ properties }) => flat(properties["VpcId"]))).toEqual([
      expect.stringContaining("EdgeVpc"),
    ]);
    const sandboxTables = resourcesOf(template, "AWS::EC2::RouteTable").filter(belongsToSandbox);
    const routes = resourcesOf(template, "AWS::EC2::Route").filter(({ properties }) =>
      sandboxTables.some(({ id }) => flat(properties["RouteTableId"]) === `\${${id}}`),
    );
    expect(routes).toHaveLength(sandboxTables.length);
    for (const { properties } of routes) {
      expect(Object.keys(properties).sort()).toEqual([
        "DestinationCidrBlock",
        "RouteTableId",
        "VpcPeeringConnectionId",
      ]);
      expect(properties["DestinationCidrBlock"]).toBe("10.93.0.0/22");
    }
  });

  it("has no address of the internet to give away", () => {
    const subnets = resourcesOf(template, "AWS::EC2::Subnet");
    expect(subnets.filter(belongsToSandbox)).toHaveLength(profile === "dev" ? 1 : 2);
    for (const { properties } of subnets) {
      expect(properties["MapPublicIpOnLaunch"]).toBe(false);
      expect(properties["Ipv6CidrBlock"]).toBeUndefined();
    }
  });

  it("is peered with the edge VPC, with a route back from each subnet of gateway and proxy", () => {
    template.resourceCountIs("AWS::EC2::VPCPeeringConnection", 1);
    const back = resourcesOf(template, "AWS::EC2::Route").filter(
      ({ properties }) => properties["DestinationCidrBlock"] === sandboxCidr,
    );
    expect(back).toHaveLength(2);
    for (const { properties } of back) expect(flat(properties["RouteTableId"])).toContain("EdgeVpcedgeSubnet");
  });

  it("has endpoints for image pulls only, whose policies name this account and ECR's bucket", () => {
    const endpoints = resourcesOf(template, "AWS::EC2::VPCEndpoint");
    const services = endpoints.map(({ properties }) => flat(properties["ServiceName"])).sort();
    expect(services).toEqual(["ecr.api", "ecr.dkr", "s3"].map((name) => `com.amazonaws.\${AWS::Region}.${name}`));
    for (const { properties } of endpoints) {
      expect(flat(properties["VpcId"])).toContain("SandboxVpc");
      const statements = statementsOf(properties["PolicyDocument"]);
      expect(statements.length).toBeGreaterThan(0);
      for (const statement of statements) {
        expect(actionsOf(statement).filter((action) => action.includes("*"))).toEqual([]);
        if (statement.Resource !== "*") continue;
        expect(actionsOf(statement)).toEqual(["ecr:GetAuthorizationToken"]);
        expect(statement.Condition).toEqual({ StringEquals: { "aws:PrincipalAccount": { Ref: "AWS::AccountId" } } });
      }
    }
  });

  it("reads from S3 what image layers are, and nothing else", () => {
    const { properties } = theResource(template, "AWS::EC2::VPCEndpoint", "EndpointsS3");
    const [statement, ...others] = statementsOf(properties["PolicyDocument"]);
    expect(others).toEqual([]);
    expect(statement).toMatchObject({ Effect: "Allow", Action: "s3:GetObject" });
    expect(flat(statement?.Resource)).toBe(`arn:\${AWS::Partition}:s3:::prod-\${AWS::Region}-starport-layer-bucket/*`);
  });

  it("pulls only from repositories of this account and region", () => {
    for (const name of ["EcrApi", "EcrDkr"]) {
      const { properties } = theResource(template, "AWS::EC2::VPCEndpoint", `Endpoints${name}`);
      const pull = statementsOf(properties["PolicyDocument"]).find(({ Sid }) => Sid === "PullImagesOfThisAccount");
      expect(flat(pull?.Resource)).toBe(`arn:\${AWS::Partition}:ecr:\${AWS::Region}:\${AWS::AccountId}:repository/*`);
      expect(pull?.Condition).toEqual({ StringEquals: { "aws:PrincipalAccount": { Ref: "AWS::AccountId" } } });
    }
  });
});

describe("names in the sandbox VPC", () => {
  const template = templates.prod;
  const { properties } = theResource(template, "AWS::Route53Resolver::FirewallRuleGroup");
  const rules = (properties["FirewallRules"] as Record<string, unknown>[]).toSorted(
    (a, b) => Number(a["Priority"]) - Number(b["Priority"]),
  );
  const domainsOf = (rule: Record<string, unknown> | undefined): string[] => {
    const id = flat(rule?.["FirewallDomainListId"]);
    const lists = resourcesOf(template, "AWS::Route53Resolver::FirewallDomainList");
    const found = lists.find((list) => id === `\${${list.id}.Id}`);
    return ((found?.properties["Domains"] ?? []) as unknown[]).map(flat);
  };

  it("are resolved when a task needs them, and blocked last when it does not", () => {
    expect(rules.map(({ Action }) => Action)).toEqual(["ALLOW", "BLOCK"]);
    expect(domainsOf(rules.at(-1))).toEqual(["*"]);
    expect(rules.at(-1)).toMatchObject({ BlockResponse: "NODATA" });
  });

  it("that are allowed are AWS's for images and files, and the deployment's own", () => {
    const region = `\${AWS::Region}.\${AWS::URLSuffix}`;
    expect(domainsOf(rules[0])).toEqual([
      `api.ecr.${region}`,
      `*.dkr.ecr.${region}`,
      `prod-\${AWS::Region}-starport-layer-bucket.s3.${region}`,
      `prod-\${AWS::Region}-starport-layer-bucket.s3.\${AWS::URLSuffix}`,
      `*.efs.${region}`,
      "bulkhead.internal",
      "*.bulkhead.internal",
    ]);
  });

  it("pass a firewall that cannot be taken off, and every query is logged", () => {
    const vpcId = { Ref: Match.stringLikeRegexp("^SandboxVpc") };
    template.hasResourceProperties("AWS::Route53Resolver::FirewallRuleGroupAssociation", {
      VpcId: vpcId,
      MutationProtection: "ENABLED",
    });
    template.hasResourceProperties("AWS::Route53Resolver::ResolverQueryLoggingConfig", {
      DestinationArn: { "Fn::GetAtt": [Match.stringLikeRegexp("^DnsFirewallQueries"), "Arn"] },
    });
    template.hasResourceProperties("AWS::Route53Resolver::ResolverQueryLoggingConfigAssociation", {
      ResourceId: vpcId,
    });
    const delivery = flat(theResource(template, "AWS::Logs::ResourcePolicy").properties["PolicyDocument"]);
    expect(delivery).toContain('"Service":"delivery.logs.amazonaws.com"');
    expect(delivery).toContain(`"aws:SourceAccount":"\${AWS::AccountId}"`);
  });
});

describe("security groups", () => {
  const template = templates.dev;
  const instances = (port: number) => ({ CidrIp: sandboxCidr, IpProtocol: "tcp", FromPort: port, ToPort: port });

  it("let nothing in from the internet", () => {
    const all = ["Gateway", "Proxy", "FileSystem", "Endpoints", "Bridge", "Janitor"];
    const sources = all.flatMap((name) => rulesOf(template, name, "Ingress")).map(({ CidrIp }) => CidrIp);
    expect(new Set(sources)).toEqual(new Set([sandboxCidr]));
    expect(resourcesOf(template, "AWS::EC2::SecurityGroup")).toHaveLength(all.length);
  });

  it.each([
    ["Gateway", [], [instances(7777), { CidrIp: "0.0.0.0/0", IpProtocol: "tcp", FromPort: 443, ToPort: 443 }]],
    ["Proxy", [instances(3128)], [{ CidrIp: "0.0.0.0/0", IpProtocol: "tcp", FromPort: 0, ToPort: 65_535 }]],
    ["FileSystem", [instances(2049)], [nothingGetsOut]],
    ["Endpoints", [instances(443)], [nothingGetsOut]],
    ["Bridge", [], [instances(7777)]],
  ])("%s has these rules and no other", (name, ingress, egress) => {
    expect(rulesOf(template, name, "Ingress")).toMatchObject(ingress);
    expect(rulesOf(template, name, "Egress")).toMatchObject(egress);
  });

  it("let the janitor reach the file system alone", () => {
    expect(rulesOf(template, "Janitor", "Ingress")).toEqual([]);
    const [rule, ...others] = rulesOf(template, "Janitor", "Egress");
    expect(others).toEqual([]);
    expect(rule).toMatchObject({ IpProtocol: "tcp", FromPort: 2049, ToPort: 2049 });
    expect(flat(rule?.["DestinationSecurityGroupId"])).toContain("SecurityGroupsFileSystem");
  });

  it("all say inside of them what gets out: one without such a rule begins with one that lets out everything", () => {
    for (const group of resourcesOf(template, "AWS::EC2::SecurityGroup")) {
      expect(group.properties["SecurityGroupEgress"], group.id).toEqual(expect.arrayContaining([expect.anything()]));
    }
  });

  it("that a VPC is born with are emptied", () => {
    const emptied = resourcesOf(template, "Custom::VpcRestrictDefaultSG").map(({ properties }) =>
      flat(properties["DefaultSecurityGroupId"]),
    );
    expect(emptied.map((id) => id.slice(0, 9)).sort()).toEqual([`\${EdgeVpc`, `\${Sandbox`]);
  });
});

describe("the network's records", () => {
  it("tell every connection of both VPCs", () => {
    const logged = resourcesOf(templates.dev, "AWS::EC2::FlowLog");
    expect(logged.map(({ properties }) => properties["TrafficType"])).toEqual(["ALL", "ALL"]);
    const vpcs = resourcesOf(templates.dev, "AWS::EC2::VPC").map(({ id }) => `\${${id}}`);
    expect(logged.map(({ properties }) => flat(properties["ResourceId"])).sort()).toEqual(vpcs.sort());
  });

  it.each(["dev", "prod"] as const)("are encrypted with the network's rotating key and end, in %s", (profile) => {
    const groups = resourcesOf(templates[profile], "AWS::Logs::LogGroup");
    expect(groups).toHaveLength(4);
    for (const { properties } of groups) {
      expect(flat(properties["KmsKeyId"])).toMatch(/^\$\{LogKey.*\.Arn\}$/);
      expect(properties["RetentionInDays"]).toBe(profile === "dev" ? 7 : 365);
    }
    templates[profile].hasResourceProperties("AWS::KMS::Key", { EnableKeyRotation: true });
  });

  it("are in groups that the stack owns, also for what CDK's own functions write", () => {
    for (const { id, properties } of resourcesOf(templates.dev, "AWS::Lambda::Function")) {
      expect([id, flat((properties["LoggingConfig"] as { LogGroup: unknown }).LogGroup)]).toEqual([
        id,
        expect.stringContaining("ProviderLog"),
      ]);
    }
    for (const { properties } of resourcesOf(templates.dev, "AWS::IAM::Role")) {
      expect(properties["ManagedPolicyArns"]).toBeUndefined();
    }
    expect(JSON.stringify(templates.dev.toJSON())).not.toContain("logs:CreateLogGroup");
  });
});

describe("the network's end", () => {
  it("leaves nothing in dev", () => {
    const policies = resourcesOf(templates.dev).map(({ deletionPolicy }) => deletionPolicy ?? "Delete");
    expect(new Set(policies)).toEqual(new Set(["Delete"]));
  });

  it("leaves the records and their key in prod", () => {
    const kept = resourcesOf(templates.prod).filter(({ deletionPolicy }) => deletionPolicy === "Retain");
    const names = kept.map(({ id }) => id.replace(/[0-9A-F]{8}$/, "")).sort();
    expect(names).toEqual(["DnsFirewallQueries", "EdgeFlowsRecords", "LogKey", "SandboxFlowsRecords"]);
  });
});

describe("zones", () => {
  it("are those of the configuration in both VPCs", () => {
    const template = foundationTemplates({ profile: "prod", zones: "us-east-1b,us-east-1d" }).network;
    const zones = new Set(
      resourcesOf(template, "AWS::EC2::Subnet").map(({ properties }) => properties["AvailabilityZone"]),
    );
    expect(zones).toEqual(new Set(["us-east-1b", "us-east-1d"]));
  });
});
