import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Sandbox } from "@hopx-ai/sdk";
import { beforeAll, describe, expect, it } from "vitest";
import { makeClient } from "./support/client.ts";
import { agent, ask, type CreatedSandbox, createRaw, run } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { until } from "./support/until.ts";

let platform: RunningPlatform;

beforeAll(async () => {
  platform = await startPlatform();
  return async () => {
    await platform.stop();
  };
});

describe("the environment", () => {
  it("of a request goes over the sandbox's, that over create's, and that over the template's", async () => {
    const env_vars = { LANG: "from create", SET: "from create", ASKED: "from create" };
    const sandbox = await createRaw(platform, { env_vars });
    await agent(sandbox, "PATCH", "/env", { env_vars: { SET: "from sandbox", ASKED: "from sandbox" } });
    const env = { ASKED: "from request" };
    const show = "echo $LANG, $SET, $ASKED, $HOME";
    const expected = { stdout: "from create, from sandbox, from request, /workspace\n" };
    const command = { command: "bash", args: ["-c", show], env };
    expect((await agent(sandbox, "POST", "/commands/run", command)).body).toMatchObject(expected);
    const code = { code: show, language: "bash", env };
    expect((await agent(sandbox, "POST", "/execute", code)).body).toMatchObject(expected);
    // What one request asked for is gone with it.
    expect((await run(sandbox, "echo $ASKED")).stdout).toBe("from sandbox\n");
  });

  it("is read, merged, replaced and cleared by the four verbs, and create's values survive the client's repeat", async () => {
    const sandbox = await createRaw(platform, { env_vars: { A: "1" } });
    const envAfter = async (method: string, body?: unknown) => (await agent(sandbox, method, "/env", body)).body;
    expect(await envAfter("PATCH", { env_vars: { A: "1" }, merge: true })).toMatchObject({
      env_vars: { A: "1" },
      count: 1,
    });
    expect(await envAfter("PATCH", { env_vars: { API_SECRET: "plain" } })).toMatchObject({ count: 2 });
    expect(await envAfter("GET")).toMatchObject({ env_vars: { A: "1", API_SECRET: "plain" } });
    expect(await envAfter("PUT", { env_vars: { B: "2" } })).toMatchObject({ env_vars: { B: "2" }, count: 1 });
    expect((await run(sandbox, "echo [$A] $B")).stdout).toBe("[] 2\n");
    expect(await envAfter("DELETE")).toMatchObject({ env_vars: {}, count: 0 });
  });
});

describe("files", () => {
  let sandbox: CreatedSandbox;
  beforeAll(async () => {
    sandbox = await createRaw(platform);
  });

  it.each([["/workspace"], ["/tmp"]])("lie under %s", async (root) => {
    const path = `${root}/some/where/a b&c.txt`;
    expect((await agent(sandbox, "POST", "/files/write", { path, content: "here" })).status).toBe(200);
    const read = await agent(sandbox, "GET", `/files/read?path=${encodeURIComponent(path).replaceAll("%20", "+")}`);
    expect(read.body).toEqual({ content: "here", path, size: 4 });
    expect((await run(sandbox, `cat '${path}'`)).stdout).toBe("here");
  });

  it.each([
    ["GET", "/files/list?path=/"],
    ["GET", "/files/list?path=/workspacex"],
    ["GET", "/files/exists?path=/tmp/../etc/passwd"],
    ["GET", "/files/download?path=/proc/self/environ"],
    ["DELETE", "/files/remove?path=/etc/hosts"],
    ["DELETE", "/files/remove?path=/workspace"],
    ["POST", "/files/mkdir", { path: "/etc/made" }],
    ["POST", "/files/write", { path: "/workspace/../etc/written", content: "" }],
  ])("lie nowhere else: %s %s", async (method, path, body?: unknown) => {
    expect(await agent(sandbox, method, path, body)).toMatchObject({ status: 403, body: { code: "PATH_NOT_ALLOWED" } });
  });

  it("are not written over when the caller says so", async () => {
    const write = (content: string) =>
      agent(sandbox, "POST", "/files/write", { path: "/workspace/once", content, overwrite: false });
    expect((await write("first")).status).toBe(200);
    expect(await write("second")).toMatchObject({ status: 409, body: { code: "FILE_ALREADY_EXISTS" } });
    expect((await run(sandbox, "cat once")).stdout).toBe("first");
  });
});

describe("100 MB", () => {
  const megabytes = 100;
  let directory: string;
  let local: string;
  let digest: string;
  let sandbox: Sandbox;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "bulkhead-100mb-"));
    local = join(directory, "up.bin");
    const out = createWriteStream(local);
    const hash = createHash("sha256");
    for (let written = 0; written < megabytes; written += 1) {
      const chunk = randomBytes(1 << 20);
      hash.update(chunk);
      if (!out.write(chunk)) await new Promise<void>((resolve) => out.once("drain", resolve));
    }
    await new Promise<void>((resolve) => out.end(resolve));
    digest = hash.digest("hex");
    sandbox = await makeClient(platform).create();
    return async () => {
      await rm(directory, { recursive: true });
    };
  });

  const inside = async (path: string) => (await sandbox.commands.run(`sha256sum ${path}`)).stdout.split(" ")[0];

  it("go up and down through the published client unharmed", async () => {
    await sandbox.files.upload(local, "/workspace/client.bin");
    expect(await inside("/workspace/client.bin")).toBe(digest);
    const back = await sandbox.files.download("/workspace/client.bin");
    expect(createHash("sha256").update(back).digest("hex")).toBe(digest);
  });

  it("stream up and down, the destination named after the file", async () => {
    const made = await createRaw(platform);
    const boundary = "bulkhead-boundary";
    const head =
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="up.bin"\r\n` +
      "Content-Type: application/octet-stream\r\n\r\n";
    const tail =
      `\r\n--${boundary}\r\nContent-Disposition: form-data; name="path"\r\n\r\n` +
      `/workspace/streamed.bin\r\n--${boundary}--\r\n`;
    const { hostname, port, pathname } = new URL(made.public_host);
    const authorization = `Bearer ${made.auth_token}`;
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const upload = request({
        hostname,
        port,
        path: `${pathname}/files/upload`,
        method: "POST",
        headers: { authorization, "content-type": `multipart/form-data; boundary=${boundary}` },
      });
      upload.on("error", reject);
      upload.on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      upload.write(head);
      const body = createReadStream(local);
      body.on("error", reject);
      body.on("end", () => upload.end(tail));
      body.pipe(upload, { end: false });
    });
    expect(status).toBe(200);
    const path = join(directory, "down.bin");
    await new Promise<void>((resolve, reject) => {
      const options = { hostname, port, path: `${pathname}/files/download?path=/workspace/streamed.bin` };
      request({ ...options, headers: { authorization } }, (response) => {
        pipeline(response, createWriteStream(path)).then(resolve, reject);
      })
        .on("error", reject)
        .end();
    });
    expect((await stat(path)).size).toBe(megabytes << 20);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    expect(hash.digest("hex")).toBe(digest);
  });
});

describe("the gateway", () => {
  it("takes the API key of the sandbox's project where the sandbox is named", async () => {
    const sandbox = await createRaw(platform);
    const { origin, pathname } = new URL(sandbox.public_host);
    const headers = { "x-api-key": platform.apiKey };
    expect((await ask(origin, `${pathname}/info`, { headers })).status).toBe(200);
    expect((await ask(origin, `${pathname}/info`, { headers: { "x-api-key": "hopx_live_nope" } })).status).toBe(401);
  });

  it("finds the sandbox by its token alone when the path names none", async () => {
    const sandbox = await createRaw(platform);
    const { origin } = new URL(sandbox.public_host);
    const headers = { authorization: `Bearer ${sandbox.auth_token}` };
    expect((await ask(origin, "/info", { headers })).body).toMatchObject({ vm_id: sandbox.id });
  });

  it("shows a server inside the sandbox under its preview path", async () => {
    const sandbox = await createRaw(platform);
    await run(sandbox, "mkdir site && echo from inside > site/page.txt");
    const serve = "python3 -m http.server -d site 8000 >/dev/null 2>&1 &";
    const pending = run(sandbox, `${serve} sleep 20`, 25);
    const { origin } = new URL(sandbox.public_host);
    const headers = { authorization: `Bearer ${sandbox.auth_token}` };
    const path = `/p/${sandbox.id}/8000/page.txt`;
    const shown = await until("the server's page", async () => {
      const answer = await ask(origin, path, { headers });
      return answer.status === 200 && answer;
    });
    expect(shown.text).toBe("from inside\n");
    await agent(sandbox, "POST", "/commands/run", { command: "pkill sleep; pkill python3" });
    await pending;
  });
});
