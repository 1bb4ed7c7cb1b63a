import { request } from "node:https";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { launchSettingsSchema } from "#aws/compute/settings.ts";
import { taskDefinition } from "#aws/compute/task-definition.ts";
import { makeAgentBridge } from "#bridge/agent-bridge.ts";
import type { Endpoint } from "#core/model.ts";
import { systemClock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { aTemplate } from "#test/support/fixtures.ts";
import { type Container, ImageRoot } from "./image-root.ts";

/** Only root can give its own capabilities away one by one, as the container service does. */
const asRoot = process.getuid?.() === 0;

const settings = launchSettingsSchema.parse({
  ...{ deployment: "bulkhead", cluster: "c", vpcId: "vpc-1", fileSystemId: "fs-1", subnetIds: ["subnet-1"] },
  executionRoleArn: "arn:aws:iam::123456789012:role/execution",
  securityGroups: { gateway: "sg-1", bridge: "sg-2", proxy: "sg-3", fileSystem: "sg-4", endpoints: "sg-5" },
  s3PrefixListId: "pl-1",
  egressProxy: { host: "egress.bulkhead.internal", port: 3128 },
  images: { base: "registry/base@sha256:1" },
});
const { containerDefinitions } = taskDefinition(
  settings,
  { instanceId: "i0123456789abcdef", template: aTemplate(), resources: { vcpu: 1, memory_mb: 2048, disk_mb: 1024 } },
  "fsap-1",
);
const [definition = {}] = containerDefinitions ?? [];
const uid = definition.environment?.find(({ name }) => name === "BULKHEAD_USER_UID")?.value ?? "";

const bridge = makeAgentBridge({ tls: "required", clock: systemClock, logger: noopLogger });
const at = ({ port }: Container): Endpoint => ({ kind: "tcp", host: "127.0.0.1", port });

/** At most 40 processes, ended at once. */
const forkUntilRefused = `
import os, signal
made = []
try:
    for _ in range(40):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        made.append(pid)
except BlockingIOError:
    print("refused after", len(made))
for pid in made:
    os.kill(pid, signal.SIGKILL)
`;

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit_code: number;
}

/** Runs a command of the sandbox's user. */
const command = (container: Container, text: string) =>
  post(container, "/commands/run", { command: text, timeout: 20 });

function post(container: Container, path: string, asked: Readonly<Record<string, unknown>>): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: container.port, method: "POST", path };
    const call = request({ ...options, rejectUnauthorized: false, headers: { "content-type": "application/json" } });
    call.on("error", reject).on("response", (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      answer.on("end", () => resolve(JSON.parse(body) as Ran));
    });
    call.end(JSON.stringify(asked));
  });
}

describe.runIf(asRoot)("the image of an instance, run as its task definition says", () => {
  const image = new ImageRoot();
  const running: Container[] = [];
  const start = async (variables?: Readonly<Record<string, string>>) => {
    const container = await image.run(definition, variables);
    running.push(container);
    return container;
  };
  const activated = async (variables?: Readonly<Record<string, string>>) => {
    const container = await start(variables);
    const state = await bridge.health(at(container), 20_000);
    const endpoint = { ...at(container), fingerprint: state.certificate_fingerprint ?? "" };
    await bridge.activate(endpoint, {
      sandbox_id: "1778263047abcdefgh",
      env: { GREETING: "hello" },
      lease: { lifetime_at: Date.now() + 600_000, idle_ms: 600_000 },
      internet_access: false,
      resources: { vcpu: 1, memory_mb: 2048, disk_mb: 1024 },
    });
    return container;
  };

  beforeAll(() => image.prepare());
  afterEach(async () => {
    for (const container of running.splice(0)) await container.stop();
  });
  afterAll(() => image.remove());

  it("comes up warm, with a certificate of its own", async () => {
    const first = await bridge.health(at(await start()), 20_000);
    const second = await bridge.health(at(await start()), 20_000);
    expect(first.state).toBe("warm");
    expect(first.certificate_fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(second.certificate_fingerprint).not.toBe(first.certificate_fingerprint);
  });

  it("runs user code under the instance's own uid, which has a name, a home and a place for files", async () => {
    const container = await activated();
    expect(await command(container, "id -un; id -u; id -g; id -G; echo ~user; echo $GREETING")).toMatchObject({
      stdout: `user\n${uid}\n${uid}\n${uid}\n/workspace\nhello\n`,
      exit_code: 0,
    });
    const places = "for d in /workspace /tmp /home/user; do echo x > $d/file && stat -c '%n %u' $d/file; done";
    expect((await command(container, places)).stdout).toBe(
      ["/workspace", "/tmp", "/home/user"].map((place) => `${place}/file ${uid}\n`).join(""),
    );
  });

  it.each([
    ["python", "import os, tempfile; open('by-python', 'w').close(); tempfile.mkdtemp(); print(os.getuid())"],
    ["javascript", "require('fs').writeFileSync('by-js', ''); console.log(process.getuid())"],
    ["bash", "mktemp -d >/dev/null && echo x > by-bash && id -u"],
  ])("runs %s on the read-only root file system, with its own files and temporary ones", async (language, code) => {
    const container = await activated();
    const ran = await post(container, "/execute", { language, code, timeout: 20 });
    expect(ran).toMatchObject({ stdout: `${uid}\n`, stderr: "", exit_code: 0 });
    const root = await command(container, "grep ' / ' /proc/mounts | cut -d' ' -f4 | cut -d, -f1");
    expect(root.stdout).toBe("ro\n");
  });

  it("lets user code change neither accounts, agent nor root file system, and gives it no capability", async () => {
    const container = await activated();
    const targets = "/etc/passwd /run/bulkhead/etc/passwd /run/bulkhead/x /opt/bulkhead/agent.cjs /usr/x /x";
    const attempts = `for f in ${targets}; do (echo x >> $f) 2>/dev/null && echo "wrote $f"; done; true`;
    expect((await command(container, attempts)).stdout).toBe("");
    const held = "grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status | tr -s '\\t ' ' '";
    const lines = (await command(container, held)).stdout.trim().split("\n");
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toMatch(/ 0{16}$/);
    expect((await command(container, "grep NoNewPrivs /proc/self/status")).stdout).toMatch(/\t1\n$/);
  });

  it("lets user code start the processes that its task definition names and no more, for good", async () => {
    const container = await activated();
    const limits = "ulimit -Su; ulimit -Hu; ulimit -Hc; (ulimit -u 100000) 2>/dev/null || echo held";
    const named = definition.environment?.find(({ name }) => name === "BULKHEAD_USER_PROCESSES")?.value;
    expect((await command(container, limits)).stdout).toBe(`${named}\n${named}\n0\nheld\n`);
  });

  it("refuses the process that is one too many, and serves on", async () => {
    const container = await activated({ BULKHEAD_USER_PROCESSES: "24" });
    expect((await command(container, `python3 -c '${forkUntilRefused}'`)).stdout).toMatch(
      /^refused after (1\d|2[0-3])\n$/,
    );
    expect((await command(container, "echo on")).stdout).toBe("on\n");
  });

  it("trusts the deployment's authority besides the image's, in OpenSSL, Python, Node.js and curl", async () => {
    const { certificatePem } = await makeAuthority({ deployment: "test", clock: systemClock });
    const container = await activated({ BULKHEAD_CA_PEM: certificatePem.trim() });
    const own = "/etc/ssl/certs/bulkhead-egress.pem";
    const found = await command(container, `cat ${own}; openssl verify -no-CAfile -CApath /etc/ssl/certs ${own}`);
    expect(found).toMatchObject({ stdout: `${certificatePem.trim()}\n${own}: OK\n`, stderr: "" });
    const names = "SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT CURL_CA_BUNDLE AWS_CA_BUNDLE";
    const bundles = await command(container, `for n in ${names}; do printenv $n; done | sort -u`);
    expect(bundles.stdout).toBe("/etc/ssl/certs/ca-certificates.crt\n");
    const counted = await command(
      container,
      "grep -c BEGIN $SSL_CERT_FILE; grep -c BEGIN /opt/bulkhead/certs/ca-certificates.crt",
    );
    const [all = 0, before = 0] = counted.stdout.split("\n").map(Number);
    expect([all - before, before > 0]).toEqual([1, true]);
    expect((await command(container, "printenv NODE_OPTIONS")).stdout).toContain("--use-openssl-ca");
  });

  it("trusts the image's authorities alone where the deployment has none", async () => {
    const container = await activated();
    const same = "cmp /etc/ssl/certs/ca-certificates.crt /opt/bulkhead/certs/ca-certificates.crt && echo same";
    expect(
      (await command(container, `${same}; ls /etc/ssl/certs/bulkhead-egress.pem; env | grep -c CA_BUNDLE`)).stdout,
    ).toBe("same\n0\n");
    const attempts =
      "for f in bulkhead-egress.pem ca-certificates.crt; do (echo x >> /etc/ssl/certs/$f) 2>/dev/null && echo wrote; done; true";
    expect((await command(container, attempts)).stdout).toBe("");
  });

  it("gives Node.js and ssh their way through the proxy", async () => {
    const container = await activated();
    expect(
      (await command(container, "printenv NODE_OPTIONS; node -p 1; proxy-connect refused.example 22; echo $?")).stdout,
    ).toBe("--require /opt/bulkhead/lib/node-proxy.cjs\n1\n1\n");
    expect((await command(container, "ssh -G refused.example | grep proxycommand")).stdout).toBe(
      "proxycommand /opt/bulkhead/bin/node /opt/bulkhead/bin/proxy-connect %h %p\n",
    );
  });

  it("hides the agent's environment and the account's from user code", async () => {
    const container = await activated();
    expect((await command(container, "env | grep -E '^(BULKHEAD|ECS|AWS)_'; true")).stdout).toBe("");
    expect(
      (await command(container, "cat /proc/1/environ /proc/2/environ 2>/dev/null | tr '\\0' '\\n'")).stdout,
    ).not.toContain("BULKHEAD");
  });

  it.each([
    ["BULKHEAD_USER_UID", "0"],
    ["BULKHEAD_USER_GID", "0"],
    ["BULKHEAD_USER_UID", "root"],
    ["BULKHEAD_USER_UID", ""],
    ["BULKHEAD_USER_UID", "20000\nevil:x:0:0::/:/bin/sh"],
    ["BULKHEAD_USER_PROCESSES", ""],
    ["BULKHEAD_USER_PROCESSES", "unlimited"],
    ["BULKHEAD_CA_PEM", "no certificate"],
  ])("does not start with %s=%j", async (name, value) => {
    const container = await start({ [name]: value });
    expect(await container.exited).not.toBe(0);
    expect(container.output()).toContain(name);
    expect(container.output()).not.toContain("listening");
  });
});
