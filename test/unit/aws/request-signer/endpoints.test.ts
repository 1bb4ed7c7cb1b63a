import { describe, expect, it } from "vitest";
import { concern } from "#aws/request-signer/covers.ts";
import { endpointOf } from "#aws/request-signer/endpoints.ts";
import { makeRequestSigner } from "#aws/request-signer/request-signer.ts";
import type { AwsGrantBody } from "#contracts/control/network.ts";
import { noopLogger } from "#telemetry/logger.ts";

const home = "eu-central-1";
const of = (host: string, where = home) => {
  const found = endpointOf(host, where);
  return found === undefined ? undefined : `${found.service}/${found.region} ${found.actions}`;
};

describe("hosts of AWS", () => {
  it.each([
    ["s3.amazonaws.com", "s3/us-east-1 s3"],
    ["bucket.s3.amazonaws.com", "s3/us-east-1 s3"],
    ["s3.eu-central-1.amazonaws.com", "s3/eu-central-1 s3"],
    ["my.dotted.bucket.s3.eu-central-1.amazonaws.com", "s3/eu-central-1 s3"],
    ["bucket.s3.dualstack.ap-southeast-5.amazonaws.com", "s3/ap-southeast-5 s3"],
    ["s3-fips.dualstack.us-east-2.amazonaws.com", "s3/us-east-2 s3"],
    ["bucket.s3-eu-west-1.amazonaws.com", "s3/eu-west-1 s3"],
    ["ap-123456789012.s3-accesspoint.eu-west-1.amazonaws.com", "s3/eu-west-1 s3"],
    ["123456789012.s3-control.eu-west-1.amazonaws.com", "s3/eu-west-1 s3"],
    ["dynamodb.eu-west-1.amazonaws.com", "dynamodb/eu-west-1 dynamodb"],
    ["123456789012.ddb.eu-west-1.amazonaws.com", "dynamodb/eu-west-1 dynamodb"],
    ["streams.dynamodb.eu-west-1.amazonaws.com", "dynamodb/eu-west-1 dynamodb"],
    ["KMS-fips.us-east-1.amazonaws.com.", "kms/us-east-1 kms"],
    ["lambda.eu-west-1.api.aws", "lambda/eu-west-1 lambda"],
    ["bedrock-runtime.us-west-2.amazonaws.com", "bedrock/us-west-2 bedrock"],
    ["bedrock-agent-runtime.us-west-2.amazonaws.com", "bedrock/us-west-2 bedrock"],
    ["monitoring.us-west-2.amazonaws.com", "monitoring/us-west-2 cloudwatch"],
    ["email.us-west-2.amazonaws.com", "ses/us-west-2 ses"],
    ["api.ecr.us-west-2.amazonaws.com", "ecr/us-west-2 ecr"],
    ["runtime.sagemaker.us-west-2.amazonaws.com", "sagemaker/us-west-2 sagemaker"],
    ["eu-west-1.queue.amazonaws.com", "sqs/eu-west-1 sqs"],
    ["abc123.execute-api.eu-west-1.amazonaws.com", "execute-api/eu-west-1 execute-api"],
    ["route53.amazonaws.com", "route53/us-east-1 route53"],
  ])("%s: %s", (host, expected) => expect(of(host)).toBe(expected));

  it.each([
    "iam.amazonaws.com",
    "sts.amazonaws.com",
    "sts.eu-central-1.amazonaws.com",
    "sts-fips.us-east-1.amazonaws.com",
    "ec2-1-2-3-4.eu-central-1.compute.amazonaws.com",
    "balancer-1.eu-central-1.elb.amazonaws.com",
    "search-x-abc.eu-central-1.es.amazonaws.com",
    "x.lambda-url.eu-central-1.on.aws",
    "bucket.s3-website-eu-west-1.amazonaws.com",
    "bucket.s3-website.eu-central-1.amazonaws.com",
    "bucket.s3-accelerate.amazonaws.com",
    "x.accesspoint.s3-global.amazonaws.com",
    "b.vpce-1-a.s3.eu-central-1.vpce.amazonaws.com",
    "any.thing.eu-central-1.amazonaws.com",
    "s3.eu-central-1.amazonaws.com.evil.example",
    "s3.eu-central-1.evilamazonaws.com",
    "__proto__.amazonaws.com",
    "constructor.amazonaws.com",
    "amazonaws.com",
    ".amazonaws.com",
    "s3.cn-north-1.amazonaws.com.cn",
    "s3.us-gov-west-1.amazonaws.com",
    "example.com",
  ])("%s: none", (host) => expect(of(host)).toBeUndefined());

  it("of another partition are known only there", () => {
    expect(of("sqs.cn-north-1.amazonaws.com.cn", "cn-northwest-1")).toBe("sqs/cn-north-1 sqs");
    expect(of("sqs.eu-west-1.amazonaws.com", "cn-northwest-1")).toBeUndefined();
    expect(of("s3.us-gov-east-1.amazonaws.com", "us-gov-west-1")).toBe("s3/us-gov-east-1 s3");
    expect(of("s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1")).toBe("s3/eusc-de-east-1 s3");
  });
});

describe("what grants concern", () => {
  const grant = (action: string, ...resources: string[]): AwsGrantBody => ({ actions: [action], resources });
  const covers = (grants: readonly AwsGrantBody[], host: string) => {
    const endpoint = endpointOf(host, home);
    return endpoint !== undefined && concern(grants, endpoint);
  };

  it("is the service of an action, whole or in part", () => {
    expect(covers([grant("s3:*", "*")], "b.s3.eu-central-1.amazonaws.com")).toBe(true);
    expect(covers([grant("sqs:Send*", "*"), grant("kms:Sign", "*")], "kms.eu-central-1.amazonaws.com")).toBe(true);
    expect(covers([grant("s3:*", "*")], "s3tables.eu-central-1.amazonaws.com")).toBe(false);
    expect(covers([grant("bedrock:InvokeModel", "*")], "bedrock-runtime.us-east-1.amazonaws.com")).toBe(true);
    expect(covers([], "s3.amazonaws.com")).toBe(false);
    expect(covers([grant("iam:*", "*"), grant("sts:*", "*")], "sts.eu-central-1.amazonaws.com")).toBe(false);
  });

  it("of API Gateway is an API that a resource names: others may be anybody's", () => {
    const own = grant("execute-api:Invoke", "arn:aws:execute-api:eu-central-1:123456789012:own1/prod/*");
    expect(covers([own], "own1.execute-api.eu-central-1.amazonaws.com")).toBe(true);
    expect(covers([own], "theirs.execute-api.eu-central-1.amazonaws.com")).toBe(false);
    expect(covers([grant("execute-api:*", "*")], "own1.execute-api.eu-central-1.amazonaws.com")).toBe(false);
  });

  it("is what the signer covers, and it signs for nothing else", async () => {
    const clock = { now: () => 0 };
    const signer = makeRequestSigner({ roleArn: "arn:aws:iam::1:role/x", region: home, clock, logger: noopLogger });
    expect(signer.covers([grant("s3:GetObject", "*")], "b.s3.eu-central-1.amazonaws.com")).toBe(true);
    const request = { method: "GET", host: "sqs.eu-central-1.amazonaws.com", target: "/", headers: [], body: null };
    const failed = signer.sign({ sandboxId: "s", projectId: "p" }, [grant("s3:GetObject", "*")], request);
    await expect(failed).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });
});
