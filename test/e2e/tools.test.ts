import { beforeAll, describe, expect, it, type TestContext } from "vitest";
import { agent, type CreatedSandbox, createRaw, run } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { startToolServers, type ToolServers, webSocketProgram } from "./support/tool-servers.ts";

/** What packages come from. Allowed by name: some networks have them at private addresses. */
const registries = ["pypi.org", "files.pythonhosted.org", "registry.npmjs.org"];
const refused = "https://refused.example/hello";

let servers: ToolServers;
let platform: RunningPlatform;
let sandbox: CreatedSandbox;
let hello = "";

beforeAll(async () => {
  servers = await startToolServers();
  platform = await startPlatform({
    env: { BULKHEAD_EGRESS_ALLOW: [servers.host, ...registries].join(","), BULKHEAD_EGRESS_TRUST: servers.caFile },
  });
  const { host, port, sshPort } = servers;
  hello = `https://${host}:${port}/hello`;
  // The proxy ends TLS for this machine's server, so every tool has to trust the deployment's own authority.
  const rules = [{ host, ports: [port], inspect: true }, { host, ports: [sshPort] }, ...registries];
  sandbox = await createRaw(platform, { network: { mode: "allow-list", rules } });
  return async () => {
    servers.close();
    await platform.stop();
  };
});

const get = `const get = (m, u, o) => m.get(u, o, (r) => r.pipe(process.stdout)).on("error", (e) => { console.log(e.message); process.exitCode = 1; });`;
const node = (code: string) => `node -e '${get} ${code}'`;

/** Name, program that it needs, what it runs to print what is at a URL. */
const tools: readonly (readonly [string, string, (url: string) => string])[] = [
  ["curl", "curl --version", (url) => `curl -sS --fail ${url}`],
  ["wget", "wget --version", (url) => `wget -nv -O - ${url}`],
  [
    "Python's urllib",
    "python3 --version",
    (url) => `python3 -c 'import urllib.request as r; print(r.urlopen("${url}").read().decode(), end="")'`,
  ],
  ["fetch", "node -v", (url) => node(`fetch("${url}").then(async (r) => process.stdout.write(await r.text()))`)],
  ["node:https", "node -v", (url) => node(`get(require("https"), "${url}", {})`)],
  [
    "node:https with an agent of the program's own",
    "node -v",
    (url) => node(`get(require("https"), "${url}", { agent: new (require("https").Agent)({ keepAlive: false }) })`),
  ],
  [
    "git",
    "git --version",
    (url) =>
      `d=$(mktemp -d) && git clone -q ${url.replace("hello", "repo.git")} $d && git -C $d log --format=tformat:hello`,
  ],
];

async function need(context: TestContext, program: string): Promise<void> {
  const { exit_code: code } = await run(sandbox, `${program} >/dev/null 2>&1`);
  if (code !== 0) context.skip(`this host has no ${program.split(" ")[0] ?? ""}`);
}

describe("what is on the allow-list is reached, its TLS ended by the proxy, with", () => {
  for (const [name, program, command] of tools) {
    it(name, async (context) => {
      await need(context, program);
      const { exit_code: code, stdout, stderr } = await run(sandbox, command(hello));
      expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: "hello\n" });
    });
  }

  it.each(["javascript", "typescript"])("fetch of a program in %s", async (language) => {
    const code = `fetch("${hello}").then(async (r) => console.log((await r.text()).trim()))`;
    const { body } = await agent(sandbox, "POST", "/execute", { language, code, timeout: 30 });
    expect(body).toMatchObject({ stdout: "hello\n", stderr: "", exit_code: 0 });
  });

  it("a WebSocket", async () => {
    const code = await webSocketProgram(hello.replace("https:", "wss:"));
    const { body } = await agent(sandbox, "POST", "/execute", { language: "javascript", code, timeout: 30 });
    expect(body).toMatchObject({ exit_code: 0, stdout: "echo hi\n" });
  });

  it("SOCKS 5", async (context) => {
    await need(context, "curl --version");
    const curl = "curl -sS --fail --proxy socks5h://127.0.0.1:3128";
    expect(await run(sandbox, `${curl} ${hello}`)).toMatchObject({ exit_code: 0, stdout: "hello\n" });
    expect((await run(sandbox, `${curl} ${refused}`)).stderr).toContain("SOCKS5");
  });

  it("ssh, through its ProxyCommand", async (context) => {
    await need(context, "ssh -V");
    await run(sandbox, `ssh -o BatchMode=yes -o ConnectTimeout=10 -p ${servers.sshPort} git@${servers.host} true`);
    expect(servers.greetings).toEqual([expect.stringMatching(/^SSH-2\.0-OpenSSH/)]);
  });
});

describe("what is not on the allow-list is refused, and says so, with", () => {
  for (const [name, program, command] of tools) {
    it(name, async (context) => {
      await need(context, program);
      const { exit_code: code, stdout, stderr } = await run(sandbox, `${command(refused)} 2>&1`);
      expect(code).not.toBe(0);
      expect(stdout + stderr).toMatch(/403|not on the sandbox's allow-list/);
    });
  }

  it("ssh", async (context) => {
    await need(context, "ssh -V");
    const { stderr } = await run(sandbox, "ssh -o BatchMode=yes git@refused.example true");
    expect(stderr).toContain("refused.example:22 is refused: not on the sandbox's allow-list");
  });

  it("pip and npm", async (context) => {
    await need(context, "python3 -m pip --version");
    const pip = "python3 -m pip download --retries 1 --index-url https://refused.example/simple six 2>&1";
    expect((await run(sandbox, pip)).stdout).toContain("403");
    await need(context, "npm --version");
    const npm = "npm view is-odd --fetch-retries 0 --registry https://refused.example 2>&1";
    expect((await run(sandbox, npm)).stdout).toMatch(/403|allow-list/);
  });
});

describe("packages are installed from their registries by", () => {
  /** Skips only where this host does not get there itself. */
  async function reachable(context: TestContext, url: string): Promise<void> {
    const answer = await fetch(url, { signal: AbortSignal.timeout(15_000) }).catch((error: unknown) => String(error));
    if (typeof answer === "string" || !answer.ok) {
      context.skip(`${url} cannot be reached from this host: ${typeof answer === "string" ? answer : answer.status}`);
    }
  }

  it("pip, for requests and httpx, which trust what the system trusts", async (context) => {
    await need(context, "python3 -m pip --version");
    await reachable(context, "https://pypi.org/simple/requests/");
    const installed = await run(sandbox, "python3 -m pip install -q --target /tmp/site requests httpx 2>&1", 180);
    expect(installed).toMatchObject({ exit_code: 0 });
    for (const name of ["requests", "httpx"]) {
      const code = `import ${name}; print(${name}.get("${hello}").text, end="")`;
      const got = await run(sandbox, `PYTHONPATH=/tmp/site python3 -c '${code}'`);
      expect(got).toMatchObject({ exit_code: 0, stdout: "hello\n" });
    }
    const told = `import requests\ntry: requests.get("${refused}")\nexcept requests.exceptions.ProxyError as e: print(e)`;
    expect((await run(sandbox, `PYTHONPATH=/tmp/site python3 -c '${told}'`)).stdout).toContain("403");
  }, 240_000);

  it("npm", async (context) => {
    await need(context, "npm --version");
    await reachable(context, "https://registry.npmjs.org/is-odd");
    const command = `cd /tmp && npm install --no-audit --no-fund --prefix /tmp/npm is-odd@3.0.1 2>&1 && node -p 'require("/tmp/npm/node_modules/is-odd")(3)'`;
    const { exit_code: code, stdout } = await run(sandbox, command, 120);
    expect([code, stdout.trim().split("\n").at(-1)]).toEqual([0, "true"]);
  }, 180_000);
});
