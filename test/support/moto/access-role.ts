import { request as httpRequest } from "node:http";
import { STSClient } from "@aws-sdk/client-sts";
import type { AwsGrantBody } from "#contracts/control/network.ts";
import type { RequestSigner, SignableRequest, SignedRequest } from "#egress/ports.ts";
import type { IamMoto } from "./moto-iam.ts";

export const region = "us-east-1";
export const roleArn = "arn:aws:iam::123456789012:role/sandbox-access";
export const owner = { sandboxId: "1800000000abcdefghij", projectId: "acme" };
export const s3Host = `s3.${region}.amazonaws.com`;
/** What the tests grant: the role may do more. */
export const reading: AwsGrantBody = { actions: ["s3:GetObject", "s3:PutObject"], resources: ["arn:aws:s3:::data/*"] };

const Version = "2010-05-08";

function allowing(Action: readonly string[], more: object = { Resource: "*" }): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, ...more }] });
}

/**
 * What a deployment makes: the access role, with what the deployer allows, and somebody who may assume it; and a bucket `data`.
 * From then on moto checks.
 * @returns STS as the proxy calls it
 */
export async function makeAccessRole(moto: IamMoto): Promise<STSClient> {
  const iam = (Action: string, parameters: Readonly<Record<string, string>>) =>
    moto.query("iam", { Action, Version, ...parameters });
  const assuming = ["sts:AssumeRole", "sts:TagSession"];
  await iam("CreateRole", {
    RoleName: "sandbox-access",
    AssumeRolePolicyDocument: allowing(assuming, { Principal: { AWS: "*" } }),
  });
  await iam("PutRolePolicy", {
    RoleName: "sandbox-access",
    PolicyName: "what-the-deployer-allows",
    PolicyDocument: allowing(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "dynamodb:ListTables"]),
  });
  await iam("CreateUser", { UserName: "proxy" });
  await iam("PutUserPolicy", { UserName: "proxy", PolicyName: "assume", PolicyDocument: allowing(assuming) });
  const key = await iam("CreateAccessKey", { UserName: "proxy" });
  const inside = (name: string) => new RegExp(`<${name}>([^<]+)<`).exec(key)?.[1] ?? "";
  await moto.put("/data", s3Host);
  await moto.check();
  const credentials = { accessKeyId: inside("AccessKeyId"), secretAccessKey: inside("SecretAccessKey") };
  return new STSClient({ region, endpoint: moto.endpoint, credentials });
}

export interface WireAnswer {
  readonly status: number;
  readonly body: string;
}

/** As the proxy does: signed, and sent to moto in the place of AWS. */
export async function send(
  moto: IamMoto,
  signer: RequestSigner,
  grants: readonly AwsGrantBody[],
  request: Partial<SignableRequest> & Pick<SignableRequest, "method" | "target">,
): Promise<WireAnswer> {
  const whole = { host: s3Host, headers: [], body: Buffer.alloc(0), ...request };
  return deliver(moto, whole.method, await signer.sign(owner, grants, whole), whole.body ?? Buffer.alloc(0));
}

export function deliver(moto: IamMoto, method: string, signed: SignedRequest, body: Buffer): Promise<WireAnswer> {
  return new Promise((resolve, reject) => {
    const out = httpRequest(moto.endpoint, { method, path: signed.target, setHost: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    for (const [name, value] of signed.headers) out.setHeader(name, value);
    out.setHeader("content-length", body.length);
    out.on("error", reject);
    out.end(body);
  });
}
