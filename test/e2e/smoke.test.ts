import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { control } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";

const root = resolve(import.meta.dirname, "../..");
let platform: RunningPlatform;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "bulkhead-smoke-"));
  platform = await startPlatform();
  return async () => {
    await platform.stop();
    await rm(directory, { recursive: true, force: true });
  };
});

async function smoke(args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--import", "tsx", "scripts/smoke.ts", ...args], {
    cwd: root,
    env: { ...process.env, ...environment },
  });
  const written = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (written.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (written.err += chunk.toString()));
  await once(child, "close");
  return { code: child.exitCode, ...written };
}

const reportSchema = z.object({
  entries: z.array(z.object({ section: z.string(), what: z.string(), verdict: z.string(), seen: z.string() })),
});

describe("npm run smoke", () => {
  it("tells the whole story, finds every way out closed, and leaves nothing behind", async () => {
    const file = join(directory, "smoke.json");
    const args = ["--url", platform.url, "--gateway", platform.gatewayUrl, "--key-env", "SMOKE_KEY"];
    const { code, out, err } = await smoke([...args, "--creates", "2", "--json", file], {
      SMOKE_KEY: platform.apiKey,
    });
    expect(code, `${out}\n${err}`).toBe(0);
    const { entries } = reportSchema.parse(JSON.parse(await readFile(file, "utf8")));
    const held = entries.filter(({ verdict }) => verdict === "ok").map(({ what }) => what);
    expect(held).toEqual(
      expect.arrayContaining([
        "the gateway is healthy",
        "run python",
        "run javascript",
        "run bash",
        "a killed sandbox is gone, with its reason",
        "direct address",
        "DNS of a public name",
        "foreign S3 bucket",
        "instance metadata",
        "task credentials",
        "metadata through the proxy",
      ]),
    );
    expect(entries.some(({ what, verdict }) => what.endsWith("create → first command") && verdict === "measured")).toBe(
      true,
    );
    // Not one row says so because the probe itself broke.
    expect(entries.filter(({ seen }) => /NameError|TypeError|KeyError|SyntaxError/.test(seen))).toEqual([]);
    expect(out).not.toContain(platform.apiKey);
    const { body } = await control(platform, "GET", "/v1/sandboxes?status=running");
    expect(body).toMatchObject({ data: [] });
  });

  it("fails with the reason when the key is wrong", async () => {
    const { code, out } = await smoke(["--url", platform.url, "--key-env", "SMOKE_KEY"], {
      SMOKE_KEY: "hopx_live_wrong.key",
    });
    expect(code).toBe(1);
    expect(out).toMatch(/FAILED client story: templates are listed: AuthenticationError/);
  });

  it("says which option is missing", async () => {
    expect(await smoke(["--key-env", "X"])).toMatchObject({ code: 2 });
    const { code, err } = await smoke(["--url", platform.url, "--key-env", "NOT_SET_ANYWHERE"]);
    expect(code).toBe(2);
    expect(err).toContain("NOT_SET_ANYWHERE");
  });
});
