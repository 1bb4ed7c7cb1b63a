import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeRequestSigner } from "#aws/request-signer/request-signer.ts";
import { awsEnvironment } from "#core/network/aws-environment.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { makeAccessRole, reading, region, roleArn, s3Host } from "#test/support/moto/access-role.ts";
import { type IamMoto, startIamMoto } from "#test/support/moto/moto-iam.ts";
import { type EgressWorld, openEgressWorld } from "./world.ts";

let moto: IamMoto;
let world: EgressWorld;
let directory = "";
/** Where "AWS" listens, and where the way out begins inside. */
let aws = 0;
let relay = 0;
/** What came to AWS: who signed, and what was said of the body. */
let seen: { credential: string; hash: string }[] = [];

/** moto behind TLS. */
function toMoto(req: IncomingMessage, res: ServerResponse): void {
  const [, credential = ""] = /Credential=([^/]+)/.exec(req.headers.authorization ?? "") ?? [];
  seen.push({ credential, hash: String(req.headers["x-amz-content-sha256"]) });
  const { method, url: path, rawHeaders } = req;
  const out = request(moto.endpoint, { method, path, headers: rawHeaders, setHost: false }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    answer.pipe(res);
  });
  out.on("error", () => res.destroy());
  req.pipe(out);
}

beforeAll(async () => {
  moto = await startIamMoto();
  const sts = await makeAccessRole(moto);
  world = await openEgressWorld({ signer: makeRequestSigner({ roleArn, region, clock, logger: noopLogger, sts }) });
  aws = await world.https(toMoto);
  // As the agent's relay does.
  relay = await world.tcp((socket) => {
    const outer = connect(world.socketPath).on("error", () => socket.destroy());
    socket.pipe(outer).pipe(socket);
  });
  directory = await mkdtemp(join(tmpdir(), "bulkhead-aws-"));
  await writeFile(join(directory, "ca.pem"), world.proxyCa);
}, 240_000);
afterAll(async () => {
  await world.close();
  await moto.stop();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  seen = [];
  const rules = ["s3", "dynamodb", "sqs"].map((name) => ({ host: `${name}.${region}.amazonaws.com`, ports: [aws] }));
  const tables = { actions: ["dynamodb:ListTables"], resources: ["*"] };
  world.setPolicy({ mode: "allow-list", rules, aws: [reading, tables] });
});

/** boto3 with nothing but a sandbox's variables. @returns what the code printed */
async function boto3(code: string): Promise<string> {
  const env = {
    ...awsEnvironment(region),
    HTTPS_PROXY: `http://127.0.0.1:${relay}`,
    AWS_CA_BUNDLE: join(directory, "ca.pem"),
    AWS_MAX_ATTEMPTS: "1",
    HOME: directory,
    PATH: "/usr/bin:/bin",
  };
  const made = `
import boto3, botocore, io
def client(name, **more):
    return boto3.client(name, endpoint_url=f"https://{name}.${region}.amazonaws.com:${aws}", **more)
def refused(call):
    try:
        call()
        return "done"
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
s3 = client("s3")
`;
  const { stdout } = await promisify(execFile)(moto.python, ["-c", made + code], { env, timeout: 50_000 });
  return stdout.trim();
}

describe("boto3 in a sandbox with AWS grants, through the proxy", () => {
  it("puts and gets what is granted, and what AWS refuses comes back as AWS says it", async () => {
    const said = await boto3(`
s3.put_object(Bucket="data", Key="a b.txt", Body=io.BytesIO(b"x" * 300000))
print(len(s3.get_object(Bucket="data", Key="a b.txt")["Body"].read()))
print(client("dynamodb").list_tables()["TableNames"])
print(refused(lambda: s3.delete_object(Bucket="data", Key="a b.txt")))
print(refused(lambda: client("dynamodb").describe_table(TableName="x")))
`);
    const [length, tables, ...codes] = said.split("\n");
    expect([length, tables]).toEqual(["300000", "[]"]);
    // moto refuses in XML where AWS would in JSON, so that boto3 only sees the status.
    expect(codes).toEqual(["AccessDenied", "403"]);
    // Another key than the sandbox's own, and what was uploaded was streamed.
    expect(seen.map(({ credential }) => credential)).not.toContain(awsEnvironment(region)["AWS_ACCESS_KEY_ID"]);
    expect(seen[0]?.hash).toBe("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    const [row] = (await world.ended(3)).filter(({ host }) => host === s3Host);
    expect(row).toMatchObject({ inside: "https", decision: "allow" });
  });

  it("speaks for nobody else: another's credentials are replaced", async () => {
    const theirs = `aws_access_key_id="AKIATHEIRS", aws_secret_access_key="theirs", aws_session_token="theirs"`;
    expect(
      await boto3(
        `print(client("s3", ${theirs}).put_object(Bucket="data", Key="k", Body=b"x")["ResponseMetadata"]["HTTPStatusCode"])`,
      ),
    ).toBe("200");
    expect(seen[0]?.credential).not.toBe("AKIATHEIRS");
  });

  it("is not signed for a service without a grant: TLS is passed on untouched", async () => {
    const said = await boto3(`
try:
    client("sqs").list_queues()
except botocore.exceptions.SSLError:
    print("not the proxy's certificate")
`);
    expect(said).toBe("not the proxy's certificate");
    expect(seen).toEqual([]);
  });
});
