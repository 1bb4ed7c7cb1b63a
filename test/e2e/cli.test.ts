import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { control, createRaw, run as runInside } from "./support/http.ts";
import { bulkhead as anyBulkhead, type RunningPlatform, startPlatform } from "./support/platform.ts";
import { readPng } from "./support/png.ts";
import { until } from "./support/until.ts";

const examples = resolve(import.meta.dirname, "../../examples");
const command = process.env["BULKHEAD_COMMAND"] ?? resolve(import.meta.dirname, "../../dist/bulkhead.mjs");
/** The template is prepared as on a user's machine: packages are downloaded, which takes about a minute. */
const prepareMs = 220_000;
let platform: RunningPlatform;
let directory: string;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  platform = await startPlatform({ flags: ["--pool", "base=1,code-interpreter=0"] });
  directory = await mkdtemp(join(tmpdir(), "bulkhead-cli-"));
  env = { BULKHEAD_URL: platform.url, BULKHEAD_API_KEY: platform.apiKey };
});
afterAll(async () => {
  await platform.stop();
  await rm(directory, { recursive: true, force: true });
});

const bulkhead = (...args: readonly string[]) => anyBulkhead(args, { env });

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

async function noneLeft(): Promise<void> {
  expect((await control(platform, "GET", "/v1/sandboxes")).body).toMatchObject({ data: [] });
}

describe("bulkhead run", () => {
  it("shows output while the program runs, and ends with its exit code", async () => {
    const lines = [
      "import os, time",
      "print('first', flush=True)",
      "while not os.path.exists('/tmp/go'): time.sleep(0.02)",
      "raise SystemExit(9)",
    ];
    const path = await file("wait.py", lines.join("\n"));
    const child = spawn(process.execPath, [command, "run", path, "--template", "base"], {
      env: { ...process.env, ...env },
    });
    const closed = once(child, "close");
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    await until("first line", () => out === "first\n");
    const { body } = await control(platform, "GET", "/v1/sandboxes");
    const id = z.object({ data: z.tuple([z.looseObject({ id: z.string() })]) }).parse(body).data[0].id;
    expect(await bulkhead("exec", id, "--", "touch", "/tmp/go")).toMatchObject({ code: 0 });
    await closed;
    expect(child.exitCode).toBe(9);
    await noneLeft();
  });

  it("reads standard input in each language, with files and variables", async () => {
    const data = await file("in put.txt", "from here");
    const code = 'cat "in put.txt"; echo " $WORD"; exit 4';
    const child = spawn(
      process.execPath,
      [command, "run", "-", "--language", "bash", "--template", "base", "--file", data, "--env", "WORD"],
      { env: { ...process.env, ...env, WORD: "and there" } },
    );
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stdin.end(code);
    await once(child, "close");
    expect({ out, code: child.exitCode }).toEqual({ out: "from here and there\n", code: 4 });
  });

  it("kills its sandbox on Ctrl-C and when nobody reads its output any more", async () => {
    const path = await file("endless.py", "while True: print('y' * 100)\n");
    const piped = `"${process.execPath}" "${command}" run "${path}" --template base | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout } = await promisify(execFile)("bash", ["-c", piped], { env: { ...process.env, ...env } });
    expect(stdout.trim().split("\n").at(-1)).toBe("141");
    await noneLeft();
    const child = spawn(process.execPath, [command, "run", path, "--template", "base"], {
      env: { ...process.env, ...env },
    });
    const closed = once(child, "close");
    await once(child.stdout, "data");
    child.stdout.resume();
    child.kill("SIGINT");
    await closed;
    expect(child.exitCode).toBe(130);
    await noneLeft();
  });

  it(
    "writes a picture that shows a plot",
    async () => {
      await until(
        "prepared code-interpreter",
        async () => {
          const { stdout } = await bulkhead("templates", "--json");
          const templates = z.array(z.looseObject({ name: z.string(), status: z.string() })).parse(JSON.parse(stdout));
          return templates.some(({ name, status }) => name === "code-interpreter" && status === "active");
        },
        { timeoutMs: prepareMs, everyMs: 1000 },
      );
      const pictures = join(directory, "pictures");
      const ran = await bulkhead("run", join(examples, "plot.py"), "--out", pictures);
      expect(ran).toMatchObject({ code: 0, stdout: "drew 400 points\n" });
      expect(ran.stderr).toContain(`saved ${pictures}/plot-1.png`);
      const { width, height, colours } = readPng(await readFile(join(pictures, "plot-1.png")));
      expect(width).toBeGreaterThan(300);
      expect(height).toBeGreaterThan(200);
      // Background, and the colours in which matplotlib draws the first two lines.
      expect(colours.get("ffffff")).toBeGreaterThan((width * height) / 2);
      expect(colours.get("1f77b4")).toBeGreaterThan(300);
      expect(colours.get("ff7f0e")).toBeGreaterThan(300);
      await noneLeft();
    },
    prepareMs + 60_000,
  );
});

describe("bulkhead with a sandbox", () => {
  let id: string;
  beforeAll(async () => {
    id = (await createRaw(platform)).id;
  });
  afterAll(async () => {
    expect(await bulkhead("kill", id)).toMatchObject({ code: 0 });
    expect(await bulkhead("exec", id, "--", "true")).toMatchObject({ code: 4 });
  });

  it("exec ends with the exit code and keeps the streams apart", async () => {
    const ran = await bulkhead("exec", id, "--", "sh", "-c", "echo out; echo err >&2; exit 3");
    expect(ran).toMatchObject({ code: 3, stdout: "out\n", stderr: "err\n" });
    expect(await bulkhead("exec", id, "--timeout", "1", "--", "sleep", "100")).toMatchObject({ code: 124 });
    expect(await bulkhead("exec", id, "--", "no such program")).toMatchObject({ code: 127 });
    expect(await bulkhead("exec", "--", "x")).toMatchObject({ code: 2 });
  });

  it("cp takes a directory there and back: names with spaces and newlines, programs, no links", async () => {
    const tree = join(directory, "a tree");
    await mkdir(join(tree, "sub dir", "empty"), { recursive: true });
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 256));
    await writeFile(join(tree, "sub dir", "new\nline -x"), bytes);
    await writeFile(join(tree, "program ü"), "#!/bin/sh\necho it ran\n");
    await chmod(join(tree, "program ü"), 0o755);
    await symlink("/etc", join(tree, "out"));
    const up = await bulkhead("cp", tree, `${id}:`);
    expect(up).toMatchObject({ code: 0, stdout: "" });
    expect(up.stderr).toMatch(/skipped out: .*\n.*copied 2 files, 100 kB, to \/workspace\/a tree/);
    expect(await bulkhead("exec", id, "--", "./a tree/program ü")).toMatchObject({ stdout: "it ran\n" });
    await bulkhead("exec", id, "--", "sh", "-c", "cd 'a tree' && ln -s /etc out && ln -s .. loop && mkfifo fifo");
    const back = join(directory, "back");
    const down = await bulkhead("cp", `${id}:a tree`, back, "--json");
    expect(JSON.parse(down.stdout)).toMatchObject({ files: 2, directories: 3, bytes: 100_022, target: back });
    expect((await readdir(back, { recursive: true })).sort()).toEqual(
      ["program ü", "sub dir", "sub dir/empty", "sub dir/new\nline -x"].sort(),
    );
    expect(await readFile(join(back, "sub dir", "new\nline -x"))).toEqual(bytes);
    expect((await stat(join(back, "program ü"))).mode & 0o111).toBe(0o111);
  });

  it("cp sends what one upload cannot carry, in little memory", async () => {
    const big = await file("big", "");
    await promisify(execFile)("bash", ["-c", `yes 0123456789 | head -c 250000000 > '${big}'`]);
    const node = ["--max-old-space-size=64", command];
    const options = { env: { ...process.env, ...env } };
    await promisify(execFile)(process.execPath, [...node, "cp", big, `${id}:/workspace/big`], options);
    await promisify(execFile)(process.execPath, [...node, "cp", `${id}:big`, `${big}.back`], options);
    await promisify(execFile)("cmp", [big, `${big}.back`]);
    const { stdout } = await bulkhead("exec", id, "--", "ls", "-A", "/workspace");
    expect(stdout).not.toContain(".bulkhead");
    await Promise.all([rm(big), rm(`${big}.back`)]);
    const full = await file("full", "");
    await promisify(execFile)("truncate", ["-s", "900000000", full]);
    const failed = await bulkhead("cp", full, `${id}:full`);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toMatch(/No space left|disk/i);
    expect((await bulkhead("exec", id, "--", "ls", "-A", "/workspace")).stdout).not.toMatch(/full|\.bulkhead/);
    await bulkhead("exec", id, "--", "rm", "/workspace/big");
  });

  it("cp says what is wrong", async () => {
    expect(await bulkhead("cp", `${id}:nothing`, directory)).toMatchObject({ code: 4 });
    expect(await bulkhead("cp", join(directory, "nothing"), `${id}:`)).toMatchObject({ code: 4 });
    const path = await file("x", "x");
    expect(await bulkhead("cp", path, `${id}:/etc/x`)).toMatchObject({ code: 3 });
    expect(await bulkhead("cp", path, `${path}2`)).toMatchObject({ code: 2 });
  });

  it("pause, resume, stop and start change what it is, and exec says so", async () => {
    await bulkhead("exec", id, "--", "touch", "kept");
    expect(await bulkhead("pause", id)).toMatchObject({ code: 0, stdout: `${id} paused\n` });
    const refused = await bulkhead("exec", id, "--", "true");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/paused.*bulkhead resume/);
    expect(await bulkhead("resume", id)).toMatchObject({ code: 0, stdout: `${id} running\n` });
    expect(await bulkhead("stop", id)).toMatchObject({ code: 0, stdout: `${id} stopped\n` });
    expect((await bulkhead("ls", "--status", "stopped")).stdout).toContain(id);
    const started = await bulkhead("start", id, "--json");
    expect(JSON.parse(started.stdout)).toMatchObject([{ id, status: "running", problem: null }]);
    expect(await bulkhead("exec", id, "--", "ls", "kept")).toMatchObject({ code: 0, stdout: "kept\n" });
    expect(await bulkhead("pause", "1763382095abcdefghij")).toMatchObject({ code: 4 });
  });

  it("ps, show, ls and timeout tell about it", async () => {
    const command = "sleep 987";
    await runInside(
      await control(platform, "POST", `/v1/sandboxes/${id}/token/refresh`).then(({ body }) => ({
        id,
        status: "running",
        public_host: `${platform.gatewayUrl}/s/${id}`,
        auth_token: z.object({ auth_token: z.string() }).parse(body).auth_token,
      })),
      `setsid ${command} >/dev/null 2>&1 & echo`,
    );
    const processes = z.array(z.looseObject({ command: z.string() }));
    const { stdout } = await bulkhead("ps", id, "--json");
    expect(processes.parse(JSON.parse(stdout)).some((one) => one.command.includes(command))).toBe(true);
    expect((await bulkhead("ps", id)).stdout).toMatch(/^PID +STATUS/);
    expect((await bulkhead("show", id)).stdout).toMatch(/^id +\d{10}\w+\nstatus +running/);
    expect(JSON.parse((await bulkhead("ls", "--json")).stdout)).toMatchObject([{ id, status: "running" }]);
    expect((await bulkhead("ls")).stdout).toMatch(/^ID +STATUS +TEMPLATE +AGE +ENDS IN +IDLE\n/);
    expect(JSON.parse((await bulkhead("timeout", id, "1h", "--json")).stdout)).toMatchObject({ timeout_seconds: 3600 });
  });
});

describe("bulkhead in general", () => {
  it("lists templates, and ended sandboxes with their reason", async () => {
    expect((await bulkhead("templates")).stdout).toMatch(/^NAME +STATUS.*\nbase +active/s);
    const made = (await bulkhead("create", "--timeout", "5m")).stdout.trim();
    await bulkhead("kill", made);
    expect((await bulkhead("ls", "--all")).stdout).toMatch(new RegExp(`${made} +deleted +base +\\S+ +killed`));
  });

  it("has an exit code for what went wrong", async () => {
    expect(await bulkhead("nonsense")).toMatchObject({ code: 2 });
    expect(await bulkhead("ls", "--api-key", "nonsense")).toMatchObject({ code: 3 });
    expect(await bulkhead("show", "1763382095abcdefghij")).toMatchObject({ code: 4 });
    expect(await bulkhead("ls", "--url", "http://127.0.0.1:9")).toMatchObject({ code: 6 });
    expect(await bulkhead("sh", "--new")).toMatchObject({ code: 2 });
  });

  it("completes in a real bash", async () => {
    const script = `source <("${process.execPath}" "${command}" completion bash)
complete -p bulkhead
COMP_WORDS=(bulkhead ls --status p); COMP_CWORD=3; _bulkhead; echo "\${COMPREPLY[@]}"`;
    const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", script]);
    expect(stdout).toBe("complete -o bashdefault -o default -F _bulkhead bulkhead\npaused\n");
  });
});
