import { Cache, Commands, Desktop, EnvironmentVariables, Files, Sandbox, Template, Terminal } from "@hopx-ai/sdk";
import { expect } from "vitest";
import type { RunningPlatform } from "#test/e2e/support/platform.ts";
import { accepted, type ConformanceRow, type Outcome, passes, refusedFor } from "./outcome.ts";

type Check = () => Promise<Outcome>;

/** Where the client reads bytes it does not read what the error says. */
const noDesktop = /DesktopNotAvailable|DESKTOP_NOT_AVAILABLE|no desktop|status code 400/;
const noBuild = /not supported yet/;

function ownNames(target: object): string[] {
  return Object.getOwnPropertyNames(target).filter((name) => name !== "constructor" && !name.startsWith("_"));
}

/** Public methods of the client as they are at run time, so that none can be forgotten. */
export function methodNames(): string[] {
  const inherited = new Set(["length", "name", "prototype"]);
  const statics = ownNames(Sandbox).filter((name) => !inherited.has(name));
  const parts = { Files, Commands, EnvironmentVariables, Cache, Terminal, Desktop, Template };
  return [
    ...statics.map((name) => `Sandbox.${name}`),
    ...ownNames(Sandbox.prototype).map((name) => `sandbox.${name}`),
    ...Object.entries(parts).flatMap(([part, type]) => ownNames(type.prototype).map((name) => `${part}#${name}`)),
    "Template.build",
  ];
}

async function firstOf<T>(messages: AsyncIterable<T>, wanted: (message: T) => boolean): Promise<T> {
  for await (const message of messages) if (wanted(message)) return message;
  throw new Error("the stream ended without it");
}

const textOf = (message: object) => ("data" in message ? String(message.data) : "");

export async function javascriptRows(platform: RunningPlatform): Promise<ConformanceRow[]> {
  const connection = { apiKey: platform.apiKey, baseURL: platform.url };
  const sandbox = await Sandbox.create({ template: "code-interpreter", envVars: { A: "1" }, ...connection });
  const checks = checksOf(sandbox, connection);
  const rows: ConformanceRow[] = [];
  const names = methodNames();
  // Ends the sandbox.
  for (const name of [...names.filter((one) => one !== "sandbox.kill"), "sandbox.kill"]) {
    const check = checks[name] ?? fallbackOf(sandbox, name);
    rows.push({ name, outcome: check === undefined ? "FAILED: no check" : await check() });
  }
  return rows;
}

/** What is the same for a whole part. */
function fallbackOf(sandbox: Sandbox, name: string): Check | undefined {
  const [part, method = ""] = name.split("#");
  if (part === "Desktop") {
    const call = Reflect.get(sandbox.desktop, method) as (...args: unknown[]) => unknown;
    return () => refusedFor(accepted.desktop, () => call.call(sandbox.desktop, {}, {}, {}), noDesktop);
  }
  // Describes a template; nothing is sent before Template.build.
  if (part === "Template") return () => Promise.resolve(accepted.local);
  if (/^sandbox\.(ensure|init)/.test(name)) return () => Promise.resolve(accepted.deprecated);
  return undefined;
}

function checksOf(sandbox: Sandbox, connection: { apiKey: string; baseURL: string }): Record<string, Check> {
  return { ...controlChecks(sandbox, connection), ...codeChecks(sandbox), ...partChecks(sandbox, connection) };
}

function controlChecks(sandbox: Sandbox, connection: { apiKey: string; baseURL: string }): Record<string, Check> {
  const { sandboxId: id } = sandbox;
  return {
    "Sandbox.create": () =>
      passes(async () => {
        const other = await Sandbox.create({
          template: "base",
          timeoutSeconds: 600,
          internetAccess: false,
          ...connection,
        });
        expect((await other.getInfo()).status).toBe("running");
        await other.kill();
      }),
    "Sandbox.connect": () =>
      passes(async () => {
        await sandbox.pause();
        const again = await Sandbox.connect(id, connection.apiKey, connection.baseURL);
        expect((await again.getInfo()).status).toBe("running");
      }),
    "Sandbox.list": () =>
      passes(async () => expect((await Sandbox.list(connection)).map((one) => one.sandboxId)).toContain(id)),
    "Sandbox.iter": () => passes(() => firstOf(Sandbox.iter(connection), (one) => one.sandboxId === id)),
    "Sandbox.listTemplates": () =>
      passes(async () => expect((await Sandbox.listTemplates(connection)).map(({ name }) => name)).toContain("base")),
    "Sandbox.getTemplate": () =>
      passes(async () => expect((await Sandbox.getTemplate("base", connection)).name).toBe("base")),
    "Sandbox.deleteTemplate": () =>
      refusedFor(
        "not served for the templates of the platform: answers FORBIDDEN",
        () => Sandbox.deleteTemplate("base", connection),
        /./,
      ).then((outcome) => (outcome?.startsWith("FAILED") === true ? outcome : null)),
    "Sandbox.healthCheck": () =>
      passes(async () => expect((await Sandbox.healthCheck(connection.baseURL)).status).toBe("healthy")),
    "sandbox.getInfo": () => passes(async () => expect((await sandbox.getInfo()).sandboxId).toBe(id)),
    "sandbox.getPreviewUrl": () => refusedFor(accepted.preview, () => sandbox.getPreviewUrl(8080), /./),
    "sandbox.agentUrl": () => refusedFor(accepted.preview, () => sandbox.agentUrl, /./),
    "sandbox.kill": () =>
      passes(async () => {
        await sandbox.kill();
        await expect(sandbox.getInfo()).rejects.toThrow(/ended/);
      }),
    "sandbox.pause": () =>
      passes(async () => {
        await sandbox.pause();
        expect((await sandbox.getInfo()).status).toBe("paused");
        await sandbox.resume();
      }),
    "sandbox.resume": () =>
      passes(async () => {
        await sandbox.pause();
        await sandbox.resume();
        expect((await sandbox.commands.run("echo on")).stdout).toBe("on\n");
      }),
    "sandbox.setTimeout": () =>
      passes(async () => {
        await sandbox.setTimeout(900);
        expect((await sandbox.getInfo()).timeoutSeconds).toBe(900);
      }),
    "sandbox.getTimeToExpiry": () => passes(async () => expect(await sandbox.getTimeToExpiry()).toBeGreaterThan(0)),
    "sandbox.isExpiringSoon": () => passes(async () => expect(await sandbox.isExpiringSoon()).toBe(false)),
    "sandbox.getExpiryInfo": () => passes(async () => expect((await sandbox.getExpiryInfo()).isExpired).toBe(false)),
    "sandbox.startExpiryMonitor": () =>
      passes(() => {
        sandbox.startExpiryMonitor(() => {});
        sandbox.stopExpiryMonitor();
      }),
    "sandbox.stopExpiryMonitor": () =>
      passes(() => {
        sandbox.stopExpiryMonitor();
      }),
    "sandbox.refreshToken": () =>
      passes(async () => {
        const before = await sandbox.getToken();
        await sandbox.refreshToken();
        expect(await sandbox.getToken()).not.toBe(before);
      }),
    "sandbox.getToken": () => passes(async () => expect(await sandbox.getToken()).toMatch(/^ey/)),
    "sandbox.ensureValidToken": () => Promise.resolve(accepted.deprecated),
  };
}

function codeChecks(sandbox: Sandbox): Record<string, Check> {
  const background = () => sandbox.runCodeBackground("import time; time.sleep(60)", { name: "sleeper" });
  return {
    "sandbox.runCode": () =>
      passes(async () => expect((await sandbox.runCode("print(6 * 7)", { language: "python" })).stdout).toBe("42\n")),
    "sandbox.runCodeAsync": () =>
      passes(async () => {
        const queued = await sandbox.runCodeAsync("print(1)", { callbackUrl: "https://example.com/hook" });
        expect(queued.status).toBe("queued");
      }),
    "sandbox.runCodeBackground": () =>
      passes(async () => {
        const { process_id: id } = await background();
        expect((await sandbox.listProcesses()).map((one) => one.process_id)).toContain(id);
        await sandbox.killProcess(id);
      }),
    "sandbox.runIpython": () =>
      passes(async () => {
        await sandbox.runIpython("x = 41");
        expect((await sandbox.runIpython("print(x + 1)")).stdout).toBe("42\n");
      }),
    "sandbox.listProcesses": () => passes(async () => expect(Array.isArray(await sandbox.listProcesses())).toBe(true)),
    "sandbox.listSystemProcesses": () =>
      passes(async () => {
        const { process_id: id } = await background();
        expect((await sandbox.listSystemProcesses()).length).toBeGreaterThan(0);
        await sandbox.killProcess(id);
      }),
    "sandbox.getJupyterSessions": () =>
      passes(async () => expect((await sandbox.getJupyterSessions())[0]).toMatchObject({ kernel_id: "default" })),
    "sandbox.killProcess": () =>
      passes(async () => {
        const { process_id: id } = await background();
        await sandbox.killProcess(id);
        const ended = (await sandbox.listProcesses()).find((one) => one.process_id === id);
        expect(ended?.status).toBe("killed");
      }),
    "sandbox.getMetricsSnapshot": () =>
      passes(async () => expect(await sandbox.getMetricsSnapshot()).toHaveProperty("system.cpu.usage_percent")),
    "sandbox.getAgentMetrics": () =>
      passes(async () => expect(await sandbox.getAgentMetrics()).toHaveProperty("total_requests")),
    "sandbox.getHealth": () => passes(async () => expect((await sandbox.getHealth()).status).toBe("healthy")),
    "sandbox.getAgentInfo": () => passes(async () => expect(await sandbox.getAgentInfo()).toHaveProperty("version")),
    "sandbox.isHealthy": () => passes(async () => expect(await sandbox.isHealthy()).toBe(true)),
    "sandbox.ensureHealthy": () => passes(() => sandbox.ensureHealthy()),
    "sandbox.runCodeStream": () =>
      passes(async () => {
        let text = "";
        for await (const message of sandbox.runCodeStream("print(1)\nprint(2)")) {
          if (message.type === "stdout") text += textOf(message);
        }
        expect(text).toBe("1\n2\n");
      }),
    "sandbox.watchFiles": () =>
      passes(async () => {
        const events = sandbox.watchFiles("/workspace");
        const write = setInterval(() => void sandbox.files.write(`/workspace/w${Date.now()}`, "x"), 100);
        await firstOf(events, ({ path }) => path.startsWith("/workspace")).finally(() => clearInterval(write));
      }),
  };
}

function partChecks(sandbox: Sandbox, connection: { apiKey: string; baseURL: string }): Record<string, Check> {
  const { files, commands, env, cache, terminal } = sandbox;
  const written = () => files.write("/workspace/c.txt", "text");
  const typed = async (
    input: string,
    wanted: RegExp,
    before?: (socket: Awaited<ReturnType<typeof terminal.connect>>) => void,
  ) => {
    const socket = await terminal.connect();
    before?.(socket);
    terminal.sendInput(socket, input);
    let seen = "";
    await firstOf(terminal.output(socket), (message) => {
      seen += textOf(message);
      return wanted.test(seen);
    });
    socket.close();
  };
  const echo = () => passes(() => typed("echo $((40 + 2))\n", /42/));
  return {
    "sandbox.files": () => Promise.resolve(accepted.local),
    "sandbox.commands": () => Promise.resolve(accepted.local),
    "sandbox.env": () => Promise.resolve(accepted.local),
    "sandbox.cache": () => Promise.resolve(accepted.local),
    "sandbox.desktop": () => Promise.resolve(accepted.local),
    "sandbox.terminal": () => Promise.resolve(accepted.local),
    "Files#write": () => passes(written),
    "Files#read": () =>
      passes(async () => {
        await written();
        expect(await files.read("/workspace/c.txt")).toBe("text");
      }),
    "Files#writeBytes": () => passes(() => files.writeBytes("/workspace/b.bin", Buffer.from([0, 255]))),
    "Files#readBytes": () =>
      passes(async () => {
        await files.writeBytes("/workspace/b.bin", Buffer.from([0, 255]));
        expect([...(await files.readBytes("/workspace/b.bin"))]).toEqual([0, 255]);
      }),
    "Files#list": () => passes(async () => expect(Array.isArray(await files.list("/workspace"))).toBe(true)),
    "Files#exists": () => passes(async () => expect(await files.exists("/workspace/none")).toBe(false)),
    "Files#mkdir": () => passes(() => files.mkdir("/workspace/made")),
    "Files#remove": () =>
      passes(async () => {
        await written();
        await files.remove("/workspace/c.txt");
        expect(await files.exists("/workspace/c.txt")).toBe(false);
      }),
    "Files#upload": () => passes(() => files.upload(import.meta.filename, "/workspace/uploaded.ts")),
    "Files#download": () =>
      passes(async () => {
        await written();
        expect(String(await files.download("/workspace/c.txt"))).toBe("text");
      }),
    "Commands#run": () => passes(async () => expect((await commands.run("echo hi")).stdout).toBe("hi\n")),
    "Commands#runBackground": () =>
      passes(async () => expect(await commands.runBackground("sleep 1")).toHaveProperty("process_id")),
    "EnvironmentVariables#getAll": () => passes(async () => expect(await env.getAll()).toHaveProperty("A", "1")),
    "EnvironmentVariables#get": () => passes(async () => expect(await env.get("A")).toBe("1")),
    "EnvironmentVariables#setAll": () => passes(() => env.setAll({ A: "1", B: "2" })),
    "EnvironmentVariables#set": () =>
      passes(async () => {
        await env.set("C", "3");
        expect((await commands.run("echo $C")).stdout).toBe("3\n");
      }),
    "EnvironmentVariables#update": () => passes(() => env.update({ D: "4" })),
    "EnvironmentVariables#delete": () =>
      passes(async () => {
        await env.set("E", "5");
        await env.delete("E");
        expect(await env.getAll()).toMatchObject({ A: "1" });
        expect(await env.getAll()).not.toHaveProperty("E");
      }),
    "Cache#stats": () => passes(async () => expect(await cache.stats()).toHaveProperty("cache.size")),
    "Cache#clear": () => passes(() => cache.clear()),
    "Terminal#connect": echo,
    "Terminal#sendInput": echo,
    "Terminal#output": echo,
    "Terminal#resize": () =>
      passes(() => typed("sleep 0.3; stty size\n", /41 101/, (socket) => terminal.resize(socket, 101, 41))),
    "Template.build": () =>
      refusedFor(
        accepted.build,
        () =>
          Template.build(new Template().fromPythonImage("3.12").runCmd("true"), {
            ...{ name: "conformance", cpu: 1, memory: 512, diskGB: 1 },
            ...connection,
          }),
        noBuild,
      ),
  };
}
