import type { Template } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import { edgeStack } from "./support/edge.ts";
import { resourcesOf } from "./support/resources.ts";

/** CloudFormation's schemas do not say it, EC2 does when it is called (AuthorizeSecurityGroupIngress, IpRange.Description). */
const accepted = /^[\w .:/()#,@[\]+=&;{}!$*-]{1,255}$/;

const plain = edgeStack();
const withDomain = edgeStack({ domain: "sandboxes.example.com", hostedZoneId: "Z0123456789ABC" });

/** Of groups, of the rules inside of them and of those beside them. */
function descriptionsIn(template: Template): string[] {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      if (/^(Group)?Description$/.test(name) && typeof inner === "string") texts.push(inner);
      else collect(inner);
    }
  };
  for (const type of ["SecurityGroup", "SecurityGroupIngress", "SecurityGroupEgress"]) {
    for (const { properties } of resourcesOf(template, `AWS::EC2::${type}`)) collect(properties);
  }
  return texts;
}

describe("descriptions of security groups and their rules", () => {
  it.each([
    ["network", plain.networkTemplate],
    ["edge", plain.template],
    ["edge with a domain", withDomain.template],
  ])("of the %s are texts that EC2 takes", (_, template) => {
    const texts = descriptionsIn(template);
    expect(texts.length).toBeGreaterThan(2);
    expect(texts.filter((text) => !accepted.test(text))).toEqual([]);
  });
});
