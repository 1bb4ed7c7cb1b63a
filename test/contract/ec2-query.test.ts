import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import {
  AuthorizeSecurityGroupEgressCommand,
  AuthorizeSecurityGroupIngressCommand,
  CreateSecurityGroupCommand,
  DeleteSecurityGroupCommand,
  DescribeSecurityGroupsCommand,
  EC2Client,
  RevokeSecurityGroupEgressCommand,
} from "@aws-sdk/client-ec2";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeEc2Query } from "#aws/compute/ec2-query.ts";
import { createGroup, deleteGroups, listGroups, setRules } from "#aws/compute/security-group.ts";
import { settingsOf, testCredentials } from "#test/support/aws-fake/fargate-world.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
}
const servers: { close(): Promise<void> }[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const server of servers.splice(0)) await server.close();
});

/** Answers one after the other, the last one for ever. */
async function serve(answers: readonly Answer[]) {
  const seen: { readonly headers: IncomingMessage["headers"]; readonly form: Record<string, string> }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
      seen.push({ headers: request.headers, form });
      const answer = answers[Math.min(seen.length, answers.length) - 1];
      response.writeHead(answer?.status ?? 200, { "content-type": "text/xml" });
      response.end(answer?.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push({
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const { port } = server.address() as AddressInfo;
  return { seen, endpoint: `http://127.0.0.1:${port}` };
}

const ok: Answer = {
  status: 200,
  body: "<DoResponse><requestId>1</requestId><groupId>sg-1</groupId><name>a &amp; b</name></DoResponse>",
};
const failure = (code: string, status = 400): Answer => ({
  status,
  body: `<Response><Errors><Error><Code>${code}</Code><Message>no</Message></Error></Errors><RequestID>1</RequestID></Response>`,
});
const options = (endpoint: string, maxAttempts = 3) => ({
  region: "eu-west-1",
  endpoint,
  credentials: testCredentials,
  maxAttempts,
});

describe("EC2's Query protocol", () => {
  it("sends a signed form and reads the answer's elements", async () => {
    const { seen, endpoint } = await serve([ok]);
    const parameters = {
      GroupId: "sg-1",
      IpPermissions: [{ FromPort: 1, Groups: [{ GroupId: "a" }, { GroupId: "b" }] }],
      Filter: [{ Name: "n", Value: ["x", "y"] }],
    };
    const answer = await makeEc2Query(options(endpoint)).call("Do", parameters);
    expect(answer).toMatchObject({ groupId: "sg-1", name: "a & b" });
    expect(seen[0]?.form).toEqual({
      Action: "Do",
      Version: "2016-11-15",
      GroupId: "sg-1",
      "IpPermissions.1.FromPort": "1",
      "IpPermissions.1.Groups.1.GroupId": "a",
      "IpPermissions.1.Groups.2.GroupId": "b",
      "Filter.1.Name": "n",
      "Filter.1.Value.1": "x",
      "Filter.1.Value.2": "y",
    });
    expect(seen[0]?.headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=test\/\d{8}\/eu-west-1\/ec2\/aws4_request, SignedHeaders=.*host.*, Signature=[0-9a-f]{64}$/,
    );
  });

  it("throws EC2's code as the error's name, and does not repeat what was refused", async () => {
    const { seen, endpoint } = await serve([failure("InvalidGroup.Duplicate")]);
    await expect(makeEc2Query(options(endpoint)).call("Do", {})).rejects.toMatchObject({
      name: "InvalidGroup.Duplicate",
      $metadata: { httpStatusCode: 400 },
    });
    expect(seen).toHaveLength(1);
  });

  it.each([
    ["throttled", failure("RequestLimitExceeded", 503)],
    ["broken", failure("InternalError", 500)],
    ["something else in between", { status: 502, body: "<html>" }],
  ])("repeats a call that met a service that is %s", async (_, answer) => {
    const { seen, endpoint } = await serve([answer, ok]);
    await makeEc2Query(options(endpoint)).call("Do", {});
    expect(seen).toHaveLength(2);
  });

  it("gives up after its attempts", async () => {
    const { seen, endpoint } = await serve([failure("InternalError", 500)]);
    await expect(makeEc2Query(options(endpoint)).call("Do", {})).rejects.toMatchObject({ name: "InternalError" });
    expect(seen).toHaveLength(3);
  });

  it("finds its endpoint where the SDK's clients do", async () => {
    const { seen, endpoint } = await serve([ok]);
    vi.stubEnv("AWS_ENDPOINT_URL", endpoint);
    const { region, credentials } = options("");
    await makeEc2Query({ region, credentials }).call("Do", {});
    expect(seen).toHaveLength(1);
    expect(seen[0]?.headers.host).toBe(endpoint.slice("http://".length));
  });

  it("reports a host that does not answer as an error without a status", async () => {
    const query = makeEc2Query(options("http://127.0.0.1:9", 1));
    await expect(query.call("Do", {})).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("asks exactly as AWS's own client does", async () => {
    const group = `<R><return>true</return><groupId>sg-9</groupId><securityGroupInfo/></R>`;
    const { seen, endpoint } = await serve([{ status: 200, body: group }]);
    const ec2 = makeEc2Query(options(endpoint));
    const settings = settingsOf({ vpcId: "vpc-1", fileSystemId: "fs-1" });
    const clock = {
      now: () => 0,
      after: () => ({ cancel() {} }),
      sleep: async () => {},
      random: () => new Uint8Array(),
    };
    await createGroup(ec2, settings, "i1");
    await setRules(ec2, settings, "sg-9", clock);
    await listGroups(ec2, settings, "i1");
    await listGroups(ec2, settings);
    await deleteGroups(ec2, settings, "i1", { clock, retryForMs: 0 });
    await ec2.call("DeleteSecurityGroup", { GroupId: "sg-9" });
    const ours = seen.splice(0).map((one) => one.form);
    const own = new EC2Client(options(endpoint));
    for (const send of ownCalls()) await send(own);
    const theirs = seen.map((one) => one.form);
    // One of ours looks for what is to be deleted, as another did before.
    expect(ours.toSpliced(6, 1)).toEqual(theirs);
  });
});

function ownCalls(): readonly ((client: EC2Client) => Promise<unknown>)[] {
  const Tags = [
    { Key: "bulkhead:deployment", Value: "bh" },
    { Key: "bulkhead:instance", Value: "i1" },
  ];
  const tcp = (port: number) => ({ IpProtocol: "tcp", FromPort: port, ToPort: port });
  const to = (port: number, GroupId: string, Description: string) => ({
    ...tcp(port),
    UserIdGroupPairs: [{ GroupId, Description }],
  });
  const everything = [{ IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }] }];
  const ingress = [to(7777, "sg-gateway", "gateway"), to(7777, "sg-bridge", "bridge")];
  const egress = [
    to(3128, "sg-proxy", "egress proxy"),
    to(2049, "sg-files", "files"),
    to(443, "sg-endpoints", "image registry"),
    { ...tcp(443), PrefixListIds: [{ PrefixListId: "pl-s3", Description: "image layers" }] },
  ];
  const ours = [
    { Name: "vpc-id", Values: ["vpc-1"] },
    { Name: "tag:bulkhead:deployment", Values: ["bh"] },
  ];
  const of = { Name: "tag:bulkhead:instance", Values: ["i1"] };
  const any = { Name: "tag-key", Values: ["bulkhead:instance"] };
  const TagSpecifications = [{ ResourceType: "security-group" as const, Tags }];
  const named = { GroupName: "bh-i1", Description: "Bulkhead instance i1", VpcId: "vpc-1" };
  return [
    (client) => client.send(new CreateSecurityGroupCommand({ ...named, TagSpecifications })),
    (client) => client.send(new RevokeSecurityGroupEgressCommand({ GroupId: "sg-9", IpPermissions: everything })),
    (client) => client.send(new AuthorizeSecurityGroupIngressCommand({ GroupId: "sg-9", IpPermissions: ingress })),
    (client) => client.send(new AuthorizeSecurityGroupEgressCommand({ GroupId: "sg-9", IpPermissions: egress })),
    (client) => client.send(new DescribeSecurityGroupsCommand({ Filters: [...ours, of], MaxResults: 1000 })),
    (client) => client.send(new DescribeSecurityGroupsCommand({ Filters: [...ours, any], MaxResults: 1000 })),
    (client) => client.send(new DeleteSecurityGroupCommand({ GroupId: "sg-9" })),
  ];
}
