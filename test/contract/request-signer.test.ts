import {
  AssumeRoleCommand,
  type AssumeRoleCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeRequestSigner } from "#aws/request-signer/request-signer.ts";
import type { AwsGrantBody } from "#contracts/control/network.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import type { RequestSigner, SignableRequest } from "#egress/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { deliver, makeAccessRole, owner, reading, region, roleArn, s3Host, send } from "../support/moto/access-role.ts";
import { type IamMoto, startIamMoto } from "../support/moto/moto-iam.ts";

const opened: { moto?: IamMoto; sts?: STSClient } = {};
/** What was asked of STS. */
const asked: AssumeRoleCommandInput[] = [];
const installMs = 240_000;

beforeAll(async () => {
  opened.moto = await startIamMoto();
  opened.sts = await makeAccessRole(opened.moto);
  opened.sts.middlewareStack.add(
    (next) => (args) => {
      if ("Policy" in args.input) asked.push(args.input as AssumeRoleCommandInput);
      return next(args);
    },
    { step: "initialize" },
  );
}, installMs);
afterAll(() => opened.moto?.stop());

function world() {
  const { moto, sts } = opened;
  if (moto === undefined || sts === undefined) throw new Error("moto is not started");
  const signer: RequestSigner = makeRequestSigner({ roleArn, region, clock, logger: noopLogger, sts });
  type Asked = Parameters<typeof send>[3];
  return {
    moto,
    sts,
    signer,
    send: (grants: readonly AwsGrantBody[], request: Asked) => send(moto, signer, grants, request),
  };
}

const read: SignableRequest = { method: "GET", host: s3Host, target: "/data/x", headers: [], body: Buffer.alloc(0) };

describe("a request signed for AWS, as moto with IAM sees it", () => {
  it("is let in for what the grants name; what signed it inside is gone", async () => {
    const { send } = world();
    const put = await send([reading], {
      method: "PUT",
      target: "/data/a%20b/%C3%BC(1)+=.txt",
      headers: [
        [
          "Authorization",
          "AWS4-HMAC-SHA256 Credential=THEIRS/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
        ],
        ["X-Amz-Security-Token", "theirs"],
        ["x-amz-date", "20000101T000000Z"],
        ["content-type", "text/plain"],
        ["x-amz-meta-note", "a   b"],
      ],
      body: Buffer.from("hello"),
    });
    expect(put).toMatchObject({ status: 200 });
    const presigned = "?X-Amz-Signature=0&X-Amz-Credential=x&response-content-type=text%2Fcsv";
    const got = await send([reading], { method: "GET", target: `/data/a%20b/%C3%BC%281%29%2B%3D.txt${presigned}` });
    expect(got).toEqual({ status: 200, body: "hello" });
    const byHost = { method: "GET", host: `data.${s3Host}`, target: "/a%20b/%C3%BC%281%29%2B%3D.txt" };
    expect(await send([reading], byHost)).toEqual({ status: 200, body: "hello" });
  });

  it("is refused for what they do not name, though the role may: another action, another bucket", async () => {
    const { send } = world();
    const denied = { status: 403, body: expect.stringContaining("AccessDenied") as string };
    expect(await send([reading], { method: "DELETE", target: "/data/x" })).toEqual(denied);
    expect(await send([{ ...reading, resources: ["arn:aws:s3:::other/*"] }], read)).toEqual(denied);
    const deleting = { actions: ["s3:DeleteObject"], resources: ["*"] };
    expect(await send([deleting], { method: "DELETE", target: "/data/x" })).toMatchObject({ status: 204 });
  });

  it("is refused for what the role may not do, whatever the grants say", async () => {
    const all = { actions: ["s3:*"], resources: ["*"] };
    expect(await world().send([all], { method: "GET", target: "/data?acl" })).toMatchObject({ status: 403 });
  });

  it("is what was signed and nothing else", async () => {
    const { moto, signer } = world();
    const signed = await signer.sign(owner, [reading], read);
    const answer = await deliver(moto, "GET", { ...signed, target: "/data/y" }, Buffer.alloc(0));
    expect(answer).toEqual({ status: 403, body: expect.stringContaining("SignatureDoesNotMatch") as string });
  });

  it("has its body's hash, for services that ask for it", async () => {
    const { send } = world();
    const tables = { actions: ["dynamodb:ListTables"], resources: ["*"] };
    const ask = (operation: string) =>
      send([tables, reading], {
        method: "POST",
        host: "dynamodb.us-east-1.amazonaws.com",
        target: "/",
        headers: [
          ["x-amz-target", `DynamoDB_20120810.${operation}`],
          ["content-type", "application/x-amz-json-1.0"],
        ],
        body: Buffer.from('{"TableName":"x"}'),
      });
    expect(await ask("ListTables")).toMatchObject({ status: 200 });
    expect(await ask("DescribeTable")).toMatchObject({ status: 403 });
  });
});

describe("its session", () => {
  it("is named and tagged after the sandbox, has the grants as its policy, and is asked for once", async () => {
    const { moto, sts, send } = world();
    asked.length = 0;
    await Promise.all([1, 2, 3].map((n) => send([reading], { method: "GET", target: `/data/${n}` })));
    expect(asked).toHaveLength(1);
    const [input] = asked;
    const Tags = [
      { Key: "bulkhead:sandbox", Value: owner.sandboxId },
      { Key: "bulkhead:project", Value: "acme" },
    ];
    const RoleSessionName = owner.sandboxId;
    expect(input).toMatchObject({ RoleArn: roleArn, RoleSessionName, DurationSeconds: 900, Tags });
    expect(JSON.parse(input?.Policy ?? "")).toEqual({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: reading.actions, Resource: reading.resources }],
    });
    // Who AWS says that is.
    const { Credentials } = await sts.send(new AssumeRoleCommand({ ...input, RoleArn: roleArn, RoleSessionName }));
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
    const credentials = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
    const { Arn } = await new STSClient({ region, endpoint: moto.endpoint, credentials }).send(
      new GetCallerIdentityCommand({}),
    );
    expect(Arn).toBe(`arn:aws:sts::123456789012:assumed-role/sandbox-access/${owner.sandboxId}`);
  });

  it("that cannot be had is a typed error", async () => {
    const { moto } = world();
    const credentials = { accessKeyId: "AKIANOBODY", secretAccessKey: "none" };
    const sts = new STSClient({ region, endpoint: moto.endpoint, credentials });
    const signer = makeRequestSigner({ roleArn, region, clock, logger: noopLogger, sts });
    await expect(signer.sign(owner, [reading], read)).rejects.toMatchObject({ name: "BulkheadError" });
  });
});
