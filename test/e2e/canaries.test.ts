import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { processes } from "./support/host.ts";
import { type Answer, agent, ask, type CreatedSandbox, control, createRaw, run } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { databaseText, platformFiles } from "./support/platform-files.ts";
import { until } from "./support/until.ts";

/** Values that stand nowhere but where somebody put them. The first can be part of a host name, the second of nothing. */
const canaries = {
  token: `Canary${randomBytes(12).toString("hex")}`,
  password: `c4n/${randomBytes(9).toString("base64url")}+?=&"Z`,
  stored: `Stored${randomBytes(12).toString("hex")}`,
  brokered: `Broker${randomBytes(12).toString("hex")}`,
};
const { token, password, stored } = canaries;

/** Where one would be seen, whichever way it was written. */
const traces = Object.values(canaries).flatMap((value) => [
  ...[value, value.toLowerCase(), encodeURIComponent(value), JSON.stringify(value).slice(1, -1)],
  Buffer.from(value).toString("base64").slice(0, -4),
]);

function seenIn(text: string): string[] {
  return traces
    .filter((trace) => text.includes(trace))
    .map((trace) => text.slice(Math.max(0, text.indexOf(trace) - 80)).slice(0, 160));
}

let platform: RunningPlatform;
let sandbox: CreatedSandbox;
/** What the platform answered to callers, by what they asked. */
const answers = new Map<string, Answer>();
let output = "";

beforeAll(async () => {
  platform = await startPlatform({
    flags: ["--no-code-interpreter", "--pool", "base=1"],
    env: { BULKHEAD_LOG: "debug", BULKHEAD_SWEEP_SECONDS: "1" },
  });
  for (const [name, value] of [
    ["canary-stored", stored],
    ["canary-brokered", canaries.brokered],
  ] as const) {
    expect((await control(platform, "PUT", `/v1/secrets/${name}`, { value })).status).toBe(200);
  }
  sandbox = await createRaw(platform, {
    env_vars: {
      SERVICE_TOKEN: token,
      DATABASE_URL: `postgres://me:${encodeURIComponent(password)}@db.example/x`,
      DB_PASSWORD: password,
    },
    secrets: {
      PLAIN_NAME: "canary-stored",
      USED: { from: "canary-brokered", deliver: "broker", hosts: ["api.example.com"] },
    },
  });
});

afterAll(async () => {
  await platform.stop();
});

async function told(what: string, answer: Promise<Answer>): Promise<Answer> {
  const got = await answer;
  answers.set(what, got);
  return got;
}

const enc = encodeURIComponent;

describe("values of delivered secrets", () => {
  it("are the program's own, and what it says of them is not touched", async () => {
    const { stdout } = await run(sandbox, 'echo "$SERVICE_TOKEN $DB_PASSWORD $PLAIN_NAME"; echo "$USED" >&2');
    expect(stdout).toBe(`${token} ${password} ${stored}\n`);
    await run(sandbox, 'echo "$SERVICE_TOKEN" > /workspace/own.txt');
    expect((await agent(sandbox, "GET", "/files/read?path=/workspace/own.txt")).text).toContain(token);
    expect((await agent(sandbox, "GET", "/env")).text).toContain(token);
  });

  it("do not come back in errors of the control plane", async () => {
    for (const value of [token, password, stored]) {
      await told(`sandbox ${value}`, control(platform, "GET", `/v1/sandboxes/${enc(value)}`));
      await told(`end of ${value}`, control(platform, "DELETE", `/v1/sandboxes/${enc(value)}`));
      await told(`template ${value}`, control(platform, "GET", `/v1/templates/${enc(value)}`));
      await told(`key ${value}`, control(platform, "DELETE", `/v1/api-keys/${enc(value)}`));
      await told(`route ${value}`, control(platform, "GET", `/v1/${enc(value)}`));
      await told(`method ${value}`, control(platform, "PATCH", `/v1/templates/${enc(value)}`));
      await told(`list ${value}`, control(platform, "GET", `/v1/sandboxes?status=${enc(value)}&cursor=${enc(value)}`));
      await told(`create ${value}`, control(platform, "POST", "/v1/sandboxes", { template_name: value }));
      await told(
        `create with ${value}`,
        control(platform, "POST", "/v1/sandboxes", { template_name: "base", [value]: value, timeout_seconds: value }),
      );
      await told(
        `secret ${value}`,
        control(platform, "POST", "/v1/sandboxes", {
          template_name: "base",
          secrets: { A: value.replaceAll(/[^a-zA-Z0-9]/g, "") },
        }),
      );
      await told(
        `policy ${value}`,
        control(platform, "PUT", `/v1/sandboxes/${sandbox.id}/network`, {
          mode: value,
          rules: [{ host: value, [value]: 1 }],
        }),
      );
      await told(
        `egress ${value}`,
        control(platform, "GET", `/v1/egress?host=${enc(value)}&cursor=${enc(value)}&decision=${enc(value)}`),
      );
      await told(
        `no secret ${value}`,
        control(platform, "DELETE", `/v1/secrets/${value.replaceAll(/[^a-zA-Z0-9]/g, "")}`),
      );
      await told(`wrong key ${value}`, ask(platform.url, "/v1/sandboxes", { headers: { "x-api-key": value } }));
    }
  });

  it("do not come back in errors of the agent", async () => {
    for (const value of [token, password, stored]) {
      const path = enc(`/workspace/${value}/file`);
      const outside = enc(`/etc/${value}`);
      for (const at of [path, outside]) {
        for (const name of ["read", "list", "info"])
          await told(`${name} ${at}`, agent(sandbox, "GET", `/files/${name}?path=${at}`));
        await told(`remove ${at}`, agent(sandbox, "DELETE", `/files/remove?path=${at}`));
      }
      await told(`write ${value}`, agent(sandbox, "POST", "/files/write", { path: `/proc/${value}`, content: "x" }));
      await told(`mkdir ${value}`, agent(sandbox, "POST", "/files/mkdir", { path: `/proc/${value}` }));
      await told(`route ${value} of the agent`, agent(sandbox, "GET", `/${enc(value)}`));
      await told(`language ${value}`, agent(sandbox, "POST", "/execute", { code: "1", language: value }));
      for (const how of ["run", "background"]) {
        await told(
          `workdir ${how} ${value}`,
          agent(sandbox, "POST", `/commands/${how}`, { command: "true", workdir: `/none/${value}` }),
        );
        // Not kept: it gives back the caller's own fields, and what a shell would say of them.
        await agent(sandbox, "POST", `/commands/${how}`, { command: `/${value}`, args: ["x"] });
      }
      await told(`variable ${value}`, agent(sandbox, "PUT", "/env", { env_vars: { [`1 ${value}`]: "x" } }));
      await told(`process ${value}`, agent(sandbox, "DELETE", `/processes/${enc(value)}`));
      await told(`session ${value}`, agent(sandbox, "DELETE", `/jupyter/sessions/${enc(value)}`));
      await told(
        `callback ${value}`,
        agent(sandbox, "POST", "/execute/async", { code: "1", callback_url: `ftp://${value}/` }),
      );
      await told(`port ${value}`, portOf(9, `/${enc(value)}`));
    }
  });

  it("do not come back in frames of sockets", async () => {
    for (const path of ["/stream", "/execute/stream", "/commands/stream", "/watch", "/terminal", "/none"]) {
      const frames = await framesOf(path, [
        { language: stored, code: "1" },
        { command: `/${token}`, args: [token], workdir: `/none/${token}`, timeout: token },
        { path: `/workspace/${token}`, action: "watch" },
        { type: token },
      ]);
      answers.set(`frames of ${path}`, { status: 0, headers: {}, text: frames, body: undefined });
    }
  });

  it("do not stand in the record of connections", async () => {
    const host = `${token}.example.com`;
    await run(
      sandbox,
      [
        `curl -sS -m 5 http://${host}/${token}`,
        `curl -sS -m 5 https://${host}/`,
        `curl -sS -m 5 -X ${token} http://192.0.2.1/`,
        `curl -sS -m 5 --socks5-hostname 127.0.0.1:3128 http://${host}/`,
        `curl -sS -m 5 http://${Buffer.from(stored).toString("base64url")}.example.com/`,
        `curl -sS -m 5 -H "Authorization: Bearer $USED" https://elsewhere.example.com/${stored}`,
      ].join("; "),
    );
    const callback = { code: "1", language: "bash", callback_url: `http://${host}/?t=${token}` };
    expect((await agent(sandbox, "POST", "/execute/async", callback)).status).toBe(200);
    const rows = await until("rows of the egress record", async () => {
      const answer = await told("egress", control(platform, "GET", `/v1/egress?sandbox=${sandbox.id}&limit=100`));
      const { data } = z.object({ data: z.array(z.unknown()) }).parse(answer.body);
      return answer.text.includes("[secret SERVICE_TOKEN].example.com") && data.length > 3 && answer;
    });
    expect(seenIn(rows.text)).toEqual([]);
  });

  it("are hidden again after a stop and a start, by name only", async () => {
    await agent(sandbox, "PATCH", "/env", { env_vars: { LATER_SECRET: password } });
    expect((await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/stop`)).status).toBeLessThan(300);
    const started = await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/start`);
    expect(started.status, started.text).toBeLessThan(300);
    const fresh = await until("token of the started sandbox", async () => {
      const answer = await control(platform, "POST", `/v1/sandboxes/${sandbox.id}/token/refresh`);
      return answer.status === 200 && z.looseObject({ auth_token: z.string() }).parse(answer.body);
    });
    sandbox = { ...sandbox, auth_token: fresh.auth_token };
    const refused = await told("after a start", agent(sandbox, "GET", `/files/read?path=/workspace/${stored}`));
    expect(refused.text).toContain("[secret PLAIN_NAME]");
    expect((await run(sandbox, 'echo "$PLAIN_NAME"')).stdout).toBe(`${stored}\n`);
  });

  it("are in nothing that is written when programs, an agent and the platform die", async () => {
    await run(sandbox, `bash -c 'kill -SEGV $$' ${token}; sleep 0.1`);
    await run(sandbox, `exec -a ${token} sleep 5 & kill -SEGV $!; wait`);
    await killAgent(sandbox);
    await until(
      "end of the sandbox",
      async () => (await control(platform, "GET", `/v1/sandboxes/${sandbox.id}`)).status === 410,
    );
    await told("ended", agent(sandbox, "GET", `/files/read?path=/workspace/${token}`));
    await told(
      "failed create",
      control(platform, "POST", "/v1/sandboxes", { template_name: token, env_vars: { A_TOKEN: token } }),
    );
    output = platform.output();
    process.kill(platform.platformPid, "SIGSEGV");
    await until("end of the platform", () => !processes().some(({ pid }) => pid === platform.pid));
  });

  it("reach no answer", () => {
    expect([...answers.values()].filter(({ text }) => text.includes("[secret ")).length).toBeGreaterThan(40);
    const seen = [...answers].flatMap(([what, { text }]) => seenIn(text).map((where) => `${what}: ${where}`));
    expect(seen).toEqual([]);
  });

  it("reach no file of the platform, and nothing that it writes", async () => {
    const written = `${output}${platform.output()}`;
    expect(written).toContain('"level":"debug"');
    expect(seenIn(written)).toEqual([]);
    const files = platformFiles(platform.home);
    expect([...files.keys()].join("\n")).toContain("egress.jsonl");
    expect([...files].flatMap(([path, text]) => seenIn(text).map((where) => `${path}: ${where}`))).toEqual([]);
    const database = await databaseText(platform.home);
    expect(database).toContain("sandbox.create");
    expect(seenIn(database)).toEqual([]);
    await rm(platform.home, { recursive: true, force: true });
  });
});

/** A request to a port of the sandbox on which nobody listens. */
function portOf(port: number, path: string): Promise<Answer> {
  return ask(platform.gatewayUrl, `/p/${sandbox.id}/${port}${path}`, {
    headers: { authorization: `Bearer ${sandbox.auth_token}` },
  });
}

/** Sends frames on a socket of the agent and answers with all that came back in two seconds, or what refused the upgrade. */
async function framesOf(path: string, frames: readonly object[]): Promise<string> {
  const { host, pathname } = new URL(sandbox.public_host);
  const url = `ws://${host}${pathname.replace(/\/$/, "")}${path}?path=/none/${token}`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${sandbox.auth_token}` } });
  let text = "";
  socket.on("message", (data: Buffer) => (text += data.toString()));
  socket.on("close", (_code, reason) => (text += reason.toString()));
  await new Promise<void>((resolve) => {
    socket.on("open", resolve);
    socket.on("error", (error) => {
      text += String(error);
      resolve();
    });
  });
  for (const frame of frames) if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  socket.terminate();
  return text;
}

/** SIGSEGV, from the host, to the agent that runs a command in `target`. */
async function killAgent(target: CreatedSandbox): Promise<void> {
  const marker = "sleep 27182818";
  const working = run(target, marker, 100).catch(() => undefined);
  const command = await until("the command on the host", () => processes().find((one) => one.command === marker));
  const all = new Map(processes().map((one) => [one.pid, one]));
  let ancestor = all.get(command.parent);
  while (ancestor !== undefined && !/agent\.cjs/.test(ancestor.command)) ancestor = all.get(ancestor.parent);
  if (ancestor === undefined) throw new Error("no agent above the command");
  process.kill(ancestor.pid, "SIGSEGV");
  await working;
}
