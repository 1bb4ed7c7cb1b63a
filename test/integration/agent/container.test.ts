import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { type AddressInfo, connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { agentExitCodes } from "#contracts/agent-control.ts";
import { type AgentProcess, startAgent, until } from "./agent-process.ts";

const agents: AgentProcess[] = [];

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

async function start(variables: Readonly<Record<string, string | undefined>>): Promise<AgentProcess> {
  const agent = await startAgent(variables);
  agents.push(agent);
  return agent;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Status of GET /health over TLS, or the code of the error. */
function health(port: number, host = "127.0.0.1"): Promise<number | string> {
  return new Promise((resolve) => {
    const call = request({ host, port, path: "/health", rejectUnauthorized: false, agent: false });
    call.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    call.on("response", (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    call.end();
  });
}

/** Until it listens: connections are refused before. */
async function listening(port: number): Promise<number | string> {
  for (;;) {
    const answer = await health(port);
    if (answer !== "ECONNREFUSED") return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const onTcp = (port: number) => ({ BULKHEAD_AGENT_FD: undefined, BULKHEAD_AGENT_PORT: String(port) });

describe("an agent in a container", () => {
  it("serves TLS on its port, to callers of its own machine only where it is told so", async () => {
    const [open, closed] = [await freePort(), await freePort()];
    await start({ ...onTcp(open), BULKHEAD_AGENT_TLS: "1" });
    await start({ ...onTcp(closed), BULKHEAD_AGENT_TLS: "1", BULKHEAD_AGENT_CALLERS: "remote" });
    expect(await listening(open)).toBe(200);
    expect(await listening(closed)).toBe("ECONNRESET");
    const own = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
    for (const { address } of own.filter(({ family, internal }) => family === "IPv4" && !internal)) {
      expect(await health(closed, address)).toBe("ECONNRESET");
    }
  });

  it("ends at once when it is told to", async () => {
    const agent = await start({});
    await agent.ask("GET", "/health");
    const exited = once(agent.process, "exit");
    agent.process.kill("SIGTERM");
    expect(await exited).toEqual([143, null]);
  });

  it("hides the container service from user code", async () => {
    const agent = await start({ ECS_CONTAINER_METADATA_URI_V4: "http://169.254.170.2/v4/x", AWS_REGION: "eu-west-1" });
    const { body } = await agent.ask("POST", "/commands/run", {
      command: "env; tr '\\0' '\\n' < /proc/self/environ",
      workdir: agent.directory,
    });
    expect(body["stdout"]).toContain("PATH=");
    expect(body["stdout"]).not.toMatch(/^(ECS|AWS|BULKHEAD)_/m);
  });

  it("gives user code a way to a proxy that is found by name", async () => {
    const proxy = createServer((socket) => {
      let heard = "";
      socket.setEncoding("utf8").on("data", (data: string) => {
        heard += data;
        if (heard.endsWith("CONNECT")) socket.end(`heard ${heard}`);
      });
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const relay = await freePort();
    const { port } = proxy.address() as AddressInfo;
    const agent = await start({ BULKHEAD_EGRESS_ADDRESS: `localhost:${port}`, BULKHEAD_EGRESS_PORT: String(relay) });
    const { body } = await agent.ask("POST", "/commands/run", {
      command: "echo $HTTPS_PROXY",
      workdir: agent.directory,
    });
    expect(body["stdout"]).toBe(`http://127.0.0.1:${relay}\n`);
    const socket = connect(relay, "127.0.0.1").setEncoding("utf8");
    socket.write("CONNECT");
    // Each connection begins with who the agent is.
    expect(await once(socket, "data")).toEqual([
      expect.stringMatching(/^heard BULKHEAD-EGRESS\/1 [\w-]{43}\r\nCONNECT$/),
    ]);
    socket.destroy();
    proxy.close();
  });
});

describe("a workspace whose file system has no limit", () => {
  const write = (agent: AgentProcess, name: string, megabytes: number) =>
    agent.ask("POST", "/files/write", {
      path: join(agent.directory, name),
      content: "x".repeat(megabytes * 1024 * 1024),
    });

  it("is full at its limit for the file API, and shows its use", async () => {
    const agent = await start({ BULKHEAD_DISK_QUOTA_MB: "6" });
    expect((await write(agent, "first", 3)).status).toBe(200);
    const refused = await write(agent, "second", 4);
    expect([refused.status, refused.body]).toMatchObject([
      422,
      { code: "FILE_OPERATION_FAILED", message: expect.stringContaining("disk full") as string },
    ]);
    expect(existsSync(join(agent.directory, "second"))).toBe(false);
    const { body } = await agent.ask("GET", "/system");
    expect(body["disk"]).toMatchObject({ total_mb: 6, used_mb: expect.closeTo(3.2, 0) as number });
    await agent.ask("DELETE", `/files/remove?path=${encodeURIComponent(join(agent.directory, "first"))}`);
    expect((await write(agent, "second", 4)).status).toBe(200);
  });

  it("refuses uploads and directories past it, while what needs no room goes on", async () => {
    const agent = await start({ BULKHEAD_DISK_QUOTA_MB: "4" });
    const full = join(agent.directory, "full");
    // By user code, which no refusal stops, but not so far past the limit that the instance ends.
    const filled = { command: "head -c 5242880 /dev/zero > full; echo $?", workdir: agent.directory };
    expect((await agent.ask("POST", "/commands/run", filled)).body["stdout"]).toBe("0\n");
    // Makes it look at once; what user code writes is else seen at its next round.
    expect((await write(agent, "large", 4)).status).toBe(422);
    const part = `--b\r\ncontent-disposition: form-data; name="path"\r\n\r\n${agent.directory}/up\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="up"\r\n\r\nx\r\n--b--\r\n`;
    const refused = [
      await agent.ask("POST", "/files/upload", part, { "content-type": "multipart/form-data; boundary=b" }),
      await agent.ask("POST", "/files/mkdir", { path: join(agent.directory, "made") }),
      await write(agent, "small", 0),
    ];
    for (const { status, body } of refused) {
      expect([status, body["code"], body["message"]]).toEqual([
        ...[422, "FILE_OPERATION_FAILED"],
        expect.stringContaining("disk full") as string,
      ]);
    }
    for (const name of ["up", "made", "small"]) expect(existsSync(join(agent.directory, name))).toBe(false);
    expect((await agent.ask("GET", `/files/exists?path=${encodeURIComponent(full)}`)).status).toBe(200);
    const on = { command: "echo on", workdir: agent.directory };
    expect((await agent.ask("POST", "/commands/run", on)).body["stdout"]).toBe("on\n");
    expect((await agent.ask("DELETE", `/files/remove?path=${encodeURIComponent(full)}`)).status).toBe(200);
    expect((await write(agent, "small", 0)).status).toBe(200);
  });

  it("ends the instance when user code writes far past it", async () => {
    const agent = await start({ BULKHEAD_DISK_QUOTA_MB: "4" });
    await agent.ask("GET", "/health");
    writeFileSync(join(agent.directory, "flood"), Buffer.alloc(8 * 1024 * 1024, 1));
    const exited = once(agent.process, "exit");
    // Asking for room makes it look at once.
    void write(agent, "more", 5).catch(() => {});
    expect(await exited).toEqual([agentExitCodes.disk_full, null]);
    await until(() => agent.log().includes("disk_full"));
  });
});
