import { execFile } from "node:child_process";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeRequestSigner } from "#aws/request-signer/request-signer.ts";
import { awsEnvironment } from "#core/network/aws-environment.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import type { HeaderPairs } from "#egress/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeAccessRole, reading, region, roleArn, send } from "../support/moto/access-role.ts";
import { type IamMoto, startIamMoto } from "../support/moto/moto-iam.ts";

const opened: { moto?: IamMoto; proxy?: Server } = {};
const installMs = 240_000;

function headersOf({ rawHeaders }: IncomingMessage): HeaderPairs {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ""] as const] : []));
}

beforeAll(async () => {
  const moto = await startIamMoto();
  opened.moto = moto;
  const sts = await makeAccessRole(moto);
  const signer = makeRequestSigner({ roleArn, region, clock, logger: noopLogger, sts });
  // Stands where the proxy has ended TLS.
  const proxy = createServer((req, res) => {
    void buffer(req)
      .then((body) =>
        send(moto, signer, [reading], {
          method: req.method ?? "",
          target: req.url ?? "",
          headers: headersOf(req),
          body,
        }),
      )
      .then(({ status, body }) => res.writeHead(status).end(body));
  });
  opened.proxy = proxy;
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
}, installMs);
afterAll(async () => {
  opened.proxy?.close();
  await opened.moto?.stop();
});

it("boto3, with nothing but a sandbox's variables, calls what is granted: objects under awkward names, presigned addresses", async () => {
  const { port } = (opened.proxy?.address() ?? {}) as Partial<AddressInfo>;
  const code = `
import boto3, urllib.request
s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:${String(port)}")
for key in ["plain", "a b+c/\\u00fc(1)!*'.txt", "a//b", "%41"]:
    s3.put_object(Bucket="data", Key=key, Body=key.encode(), Metadata={"note": "x  y"})
    assert s3.get_object(Bucket="data", Key=key)["Body"].read() == key.encode(), key
    asked = {"Bucket": "data", "Key": key, "ResponseContentType": "text/plain; charset=utf-8"}
    url = s3.generate_presigned_url("get_object", Params=asked)
    assert urllib.request.urlopen(url).read() == key.encode(), url
try:
    s3.delete_object(Bucket="data", Key="plain")
except s3.exceptions.ClientError as error:
    print(error.response["Error"]["Code"])
`;
  const env = { ...awsEnvironment(region), PATH: "/usr/bin:/bin", HOME: "/nonexistent" };
  const { stdout } = await promisify(execFile)(opened.moto?.python ?? "", ["-c", code], { env });
  expect(stdout.trim()).toBe("AccessDenied");
});
