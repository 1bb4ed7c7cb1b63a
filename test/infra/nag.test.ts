import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { describe, expect, it } from "vitest";
import { wildcardReasons } from "../../infra/constructs/functions/right.ts";
import { controlPlane } from "./support/control-plane.ts";
import { deployment } from "./support/deployment.ts";
import { unacknowledgedFindings } from "./support/nag.ts";

/** Each with its own exceptions; what holds in one must not hide what is missing in another. */
const variants = {
  dev: controlPlane(),
  prod: controlPlane({ profile: "prod" }),
  "with a firewall": controlPlane({ waf: true }),
  "with traces and insights": controlPlane({}, { tracing: true, containerInsights: true }),
  "pinned to an account and region": controlPlane({ account: "123456789012", region: "eu-west-1" }),
};

describe("AwsSolutions and NIST 800-53 find nothing in the control plane that has no reason", () => {
  it.each(Object.keys(variants) as (keyof typeof variants)[])("%s", (name) => {
    expect(unacknowledgedFindings(variants[name].plane)).toEqual([]);
  });
});

describe("nor in a whole platform stack, edge included", () => {
  it.each([{}, { profile: "prod" }])("%j", (context) => {
    expect(unacknowledgedFindings(deployment(context).stack)).toEqual([]);
  });
});

describe("exceptions", () => {
  it("are found to be missing: a wildcard that nobody gave a reason for", () => {
    const { plane } = controlPlane();
    plane.instances.executionRole.addToPolicy(
      new PolicyStatement({ actions: ["s3:GetObject"], resources: ["arn:aws:s3:::somebody/*"] }),
    );
    expect(unacknowledgedFindings(plane).join("\n")).toContain("AwsSolutions-IAM5[Resource::arn:aws:s3:::somebody/*]");
  });

  it("of wildcards name the finding, and give all reasons where rights share one", () => {
    const { stack } = variants.dev;
    const reasons = wildcardReasons(stack, [
      { actions: ["a:One"], resources: [`arn:${stack.partition}:x:::*`], because: "First." },
      { actions: ["a:Two"], resources: [`arn:${stack.partition}:x:::*`, "arn:y"], because: "Second." },
    ]);
    expect(reasons).toEqual({ "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:x:::*]": "First. Second." });
  });
});
