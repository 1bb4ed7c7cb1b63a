import { describe, expect, it } from "vitest";
import { type Finding, lint } from "./emulator/cfn-lint.ts";
import { deployments, synthesized } from "./emulator/synthesized.ts";
import { parseTemplate } from "./emulator/template.ts";

/** Warnings about what the CDK writes and CloudFormation takes; any other is a failure. */
const ofTheCdk: Readonly<Record<string, string>> = {
  W3005: "The CDK makes a function depend on its role in words as well as by reference.",
  W6001: "The first key's secret is made in one stack and told by another.",
};

/**
 * A type or property that CloudFormation does not have, which the CDK may have all the same, refuses the whole template at a deploy.
 */
describe("CloudFormation's own schemas have everything in the templates of", () => {
  it.each(Object.entries(deployments))("%s", { timeout: 400_000 }, async (_name, context) => {
    const findings = await lint(synthesized(context));
    expect(findings.filter(({ rule }) => !(rule in ofTheCdk))).toEqual([]);
  });
});

describe("the linter", () => {
  it("finds a wrong type, property, value and attribute, what is missing, refers to nothing or to itself in a circle", async () => {
    const template = parseTemplate({
      Resources: {
        Type: { Type: "AWS::SNS::Topical" },
        Property: { Type: "AWS::SNS::Topic", Properties: { Nope: "x" } },
        Value: { Type: "AWS::SQS::Queue", Properties: { DelaySeconds: "soon" } },
        Missing: { Type: "AWS::EC2::Subnet", Properties: { CidrBlock: "10.0.0.0/24" } },
        Attribute: { Type: "AWS::SNS::Topic", Properties: { DisplayName: { "Fn::GetAtt": ["Property", "Nope"] } } },
        Circle: { Type: "AWS::SNS::Topic", DependsOn: "Circle" },
        Reference: { Type: "AWS::SNS::Topic", Properties: { DisplayName: { Ref: "Nothing" } } },
      },
    });
    const found = await lint(new Map([["wrong", template]]));
    const wrong = ({ rule, path }: Finding) => (rule.startsWith("E") ? [path.split("/")[1]] : []);
    expect([...new Set(found.flatMap(wrong))].sort()).toEqual([
      "Attribute",
      "Circle",
      "Missing",
      "Property",
      "Reference",
      "Type",
      "Value",
    ]);
  });

  it("does not see imports and ids that nothing has, as docs/emulator-coverage.md says", async () => {
    const template = parseTemplate({
      Resources: {
        Import: { Type: "AWS::SNS::Topic", Properties: { DisplayName: { "Fn::ImportValue": "nope" } } },
        Id: { Type: "AWS::EC2::Subnet", Properties: { VpcId: "vpc-00000000", CidrBlock: "10.0.0.0/24" } },
      },
    });
    expect(await lint(new Map([["unseen", template]]))).toEqual([]);
  });
});
