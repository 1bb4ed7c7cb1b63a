import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { enforcementSchema } from "#contracts/domain.ts";

const script = fileURLToPath(new URL("./as-user.ts", import.meta.url));
const project = fileURLToPath(new URL("../../..", import.meta.url));
const root = process.getuid?.() === 0;
const uid = 1234;
const drop = ["setpriv", "--reuid", String(uid), "--regid", String(uid), "--clear-groups"];
const scenario = [process.execPath, "--import", "tsx", script];

const seen = z.object({
  uid: z.number(),
  enforced: enforcementSchema,
  out: z.string(),
  disk: z.string(),
  forks: z.string(),
  refusal: z.string(),
  left: z.array(z.string()),
});

async function run(argv: readonly string[]): Promise<z.infer<typeof seen>> {
  const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/nonexistent", TMPDIR: "/tmp" };
  const options = { cwd: project, env: environment, timeout: 50_000 };
  const { stdout } = await promisify(execFile)(argv[0] ?? "", argv.slice(1), options);
  return seen.parse(JSON.parse(stdout));
}

describe("a platform without root", () => {
  it("isolates, holds what it can and says what it cannot", async () => {
    const result = await run(root ? [...drop, ...scenario] : scenario);
    expect(result.uid).not.toBe(0);
    expect(result.enforced).toMatchObject({ disk: "tmpfs", network: "netns", syscalls: "seccomp" });
    expect(result.out).toContain("1000\n1000\nwrote");
    expect(result.out).toContain("no namespaces");
    expect(result.disk).toContain("No space left on device");
    expect(result.refusal).toMatch(/cannot enforce: .*memory.*--allow-unenforced/);
    expect(result.left).toEqual([]);
  });
});

describe.runIf(root && existsSync("/usr/bin/newuidmap"))(
  "a platform without root whose user has subordinate ids",
  () => {
    let directory = "";
    beforeAll(() => {
      directory = mkdtempSync("/tmp/bh-subid-");
      writeFileSync(
        `${directory}/passwd`,
        `${readFileSync("/etc/passwd", "utf8")}bhtest:x:${uid}:${uid}::/nonexistent:/bin/sh\n`,
      );
      writeFileSync(`${directory}/subid`, "bhtest:500000:65536\n");
      // The account exists in a private mount namespace only.
      const binds = ["passwd:/etc/passwd", "subid:/etc/subuid", "subid:/etc/subgid"];
      const lines = binds.map((bind) => `mount --bind ${directory}/${bind.replace(":", " ")}`);
      writeFileSync(`${directory}/enter`, `${["set -e", ...lines, 'exec "$@"'].join("\n")}\n`);
    });
    afterAll(() => rmSync(directory, { recursive: true, force: true }));

    it("keeps user code apart from the agent and counts its processes by themselves", async () => {
      const enter = ["unshare", "--mount", "--propagation", "private", "sh", `${directory}/enter`];
      const result = await run([...enter, ...drop, ...scenario]);
      expect(result.enforced).toMatchObject({ identity: "two-uid", pids: "prlimit", disk: "tmpfs" });
      expect(result.out).toContain("agent is safe");
      expect(result.out).toContain("no namespaces");
      expect(result.forks).toMatch(/Resource temporarily unavailable/);
      expect(result.left).toEqual([]);
    });
  },
);
