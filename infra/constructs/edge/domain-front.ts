import { Certificate, CertificateValidation } from "aws-cdk-lib/aws-certificatemanager";
import { Peer, Port } from "aws-cdk-lib/aws-ec2";
import {
  ApplicationProtocol,
  type IListenerCertificate,
  ListenerAction,
  ListenerCertificate,
  SslPolicy,
} from "aws-cdk-lib/aws-elasticloadbalancingv2";
import { CfnRecordSet, HostedZone } from "aws-cdk-lib/aws-route53";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { Balancer } from "./balancer.ts";

export interface DomainFrontProps {
  readonly config: DeploymentConfig & { readonly domain: string };
  readonly balancer: Balancer;
}

/** The way in with a domain: a public load balancer with a certificate for the domain and all names below it. */
export class DomainFront extends Construct {
  readonly url: string;

  constructor(scope: Construct, id: string, { config, balancer }: DomainFrontProps) {
    super(scope, id);
    const { securityGroup, targets } = balancer;
    for (const [port, why] of [[443, "whoever holds a token"] as const, [80, "is sent on to 443"] as const]) {
      securityGroup.addIngressRule(Peer.anyIpv4(), Port.tcp(port), why);
    }
    balancer.balancer.addListener("Https", {
      port: 443,
      protocol: ApplicationProtocol.HTTPS,
      open: false,
      certificates: [this.certificate(config)],
      sslPolicy: SslPolicy.TLS13_12_RES_PQ,
      defaultTargetGroups: [targets],
    });
    const redirect = balancer.balancer.addListener("Http", {
      port: 80,
      protocol: ApplicationProtocol.HTTP,
      open: false,
      defaultAction: ListenerAction.redirect({ protocol: "HTTPS", port: "443", permanent: true }),
    });
    acknowledge(redirect, {
      "NIST.800.53.R5-ELBv2ACMCertificateRequired": "It only sends on to the listener with the certificate.",
    });
    acknowledge(securityGroup, {
      "AwsSolutions-EC23": "This is the one public door of the data plane; sandbox tokens are checked behind it.",
    });
    this.records(config, balancer);
    this.url = `https://${config.domain}`;
  }

  private certificate({ domain, hostedZoneId, certificateArn }: DomainFrontProps["config"]): IListenerCertificate {
    if (certificateArn !== undefined) return ListenerCertificate.fromArn(certificateArn);
    if (hostedZoneId === undefined) throw new Error("domain needs hostedZoneId or certificateArn");
    // The zone may be a parent of the domain; only its id matters here.
    const zone = HostedZone.fromHostedZoneId(this, "Zone", hostedZoneId);
    return new Certificate(this, "Certificate", {
      domainName: domain,
      subjectAlternativeNames: [`*.${domain}`],
      validation: CertificateValidation.fromDns(zone),
    });
  }

  private records({ domain, hostedZoneId }: DomainFrontProps["config"], { balancer }: Balancer): void {
    if (hostedZoneId === undefined) return;
    for (const [id, name] of Object.entries({ Record: domain, Wildcard: `*.${domain}` })) {
      new CfnRecordSet(this, id, {
        hostedZoneId,
        name: `${name}.`,
        type: "A",
        aliasTarget: {
          dnsName: `dualstack.${balancer.loadBalancerDnsName}`,
          hostedZoneId: balancer.loadBalancerCanonicalHostedZoneId,
          evaluateTargetHealth: false,
        },
      });
    }
  }
}
