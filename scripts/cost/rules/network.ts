import { z } from "zod";
import type { Rule } from "../line.ts";

const endpointSchema = z.looseObject({
  VpcEndpointType: z.string().default("Gateway"),
  ServiceName: z.unknown(),
  SubnetIds: z.array(z.unknown()).optional(),
});
const loadBalancerSchema = z.looseObject({
  Type: z.string().default("application"),
  Scheme: z.string().default("internet-facing"),
  Subnets: z.array(z.unknown()),
});
const domainsSchema = z.looseObject({ Domains: z.array(z.unknown()) });

/** The last word of a service's name, e.g. `dkr` of com.amazonaws.us-east-1.ecr.dkr. */
function serviceName(value: unknown): string {
  return /([a-z0-9]+(\.[a-z0-9]+)?)"?[\]}]*$/.exec(JSON.stringify(value))?.[1] ?? "an AWS service";
}

const vpcEndpoint: Rule = ({ resource, calculator }) => {
  const { VpcEndpointType, ServiceName, SubnetIds } = endpointSchema.parse(resource.Properties);
  if (VpcEndpointType === "Gateway") return [];
  if (VpcEndpointType !== "Interface") throw new Error(`a VPC endpoint of type ${VpcEndpointType} has no price`);
  if (SubnetIds === undefined) throw new Error("an interface endpoint without SubnetIds: its zones cannot be counted");
  const what = `interface endpoint ${serviceName(ServiceName)}`;
  return [calculator.hourly(what, SubnetIds.length, "zones", "endpoint.hour")];
};

const loadBalancer: Rule = ({ resource, calculator }) => {
  const { Type, Scheme, Subnets } = loadBalancerSchema.parse(resource.Properties);
  if (Type !== "application") throw new Error(`a load balancer of type ${Type} has no price`);
  const lines = [calculator.hourly(`application load balancer (${Scheme})`, 1, "load balancer", "alb.hour")];
  // A load balancer that faces the internet holds an address in each of its zones.
  if (Scheme === "internet-facing")
    lines.push(calculator.hourly("public IPv4 of the load balancer", Subnets.length, "addresses", "ipv4.hour"));
  return lines;
};

export const networkRules: Readonly<Record<string, Rule>> = {
  "vpc-endpoint": vpcEndpoint,
  "load-balancer": loadBalancer,
  "nat-gateway": ({ calculator }) => [calculator.hourly("NAT gateway", 1, "gateway", "nat.hour")],
  "elastic-ip": ({ calculator }) => [calculator.hourly("elastic IP", 1, "address", "ipv4.hour")],
  zone: ({ calculator }) => [calculator.monthly("hosted zone", 1, "zone", "zone")],
  "dns-firewall": ({ calculator }) => [
    calculator.assumed("DNS Firewall queries", "dns.queries", "dns-firewall.queries"),
  ],
  "dns-domains": ({ resource, calculator }) => {
    const { Domains } = domainsSchema.parse(resource.Properties);
    return [calculator.monthly("DNS Firewall domain list", Domains.length, "domains", "dns-firewall.domain")];
  },
  "web-acl": ({ resource, calculator }) => {
    const { Rules } = z.looseObject({ Rules: z.array(z.unknown()).default([]) }).parse(resource.Properties);
    return [
      calculator.monthly("web ACL", 1, "ACL", "waf.acl"),
      calculator.monthly("rules of the web ACL", Rules.length, "rules", "waf.rule"),
    ];
  },
};
