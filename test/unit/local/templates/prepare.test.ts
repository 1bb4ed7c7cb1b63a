import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pipProgress } from "#local/templates/install.ts";
import { type PrepareOptions, prepareTemplate } from "#local/templates/prepare.ts";
import { requirementsFor } from "#local/templates/requirements.ts";
import type { RunStep, StepResult } from "#local/templates/step.ts";
import { noopLogger } from "#telemetry/logger.ts";

let home: string;
let parent: string;
let progress: string[];
let ran: string[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bulkhead-templates-"));
  parent = join(home, "templates/code-interpreter");
  progress = [];
  ran = [];
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const fine: StepResult = { code: 0, lines: [] };

/** A host where everything works, but for what `special` says about a command. */
function host(special: (command: string) => StepResult | undefined = () => undefined): RunStep {
  return async (command, { onLine }) => {
    const text = command.join(" ");
    ran.push(text);
    const answer = special(text);
    if (answer !== undefined) return answer;
    if (text.includes("platform.machine")) return { code: 0, lines: ["3.11 x86_64"] };
    if (text.includes(" install ")) onLine?.("  Downloading numpy-2.4.6-cp311-manylinux.whl (16.9 MB)");
    return fine;
  };
}

const options = (run: RunStep, more: Partial<PrepareOptions> = {}): PrepareOptions => ({
  home,
  logger: noopLogger,
  onProgress: (text) => progress.push(text),
  signal: new AbortController().signal,
  root: false,
  run,
  ...more,
});

describe("prepareTemplate", () => {
  it("has nothing to do for base", async () => {
    expect(await prepareTemplate("base", options(host()))).toEqual({ binds: [], env: {}, features: [] });
    expect(ran).toEqual([]);
  });

  it("installs code-interpreter once and tells what it does", async () => {
    const template = await prepareTemplate("code-interpreter", options(host()));
    const [bind] = template.binds;
    expect(bind?.target).toBe("/opt/code-interpreter");
    expect(template.features).toEqual(["rich-output"]);
    expect(template.env["PYTHONPATH"]).toBe("/opt/code-interpreter/site-packages");
    expect(readFileSync(join(bind?.source ?? "", "requirements.txt"), "utf8")).toContain("numpy==");
    expect(progress).toContain("downloading numpy 2.4.6 (16.9 MB)");
    expect(readdirSync(parent)).toHaveLength(1);

    const before = ran.length;
    expect(await prepareTemplate("code-interpreter", options(host()))).toEqual(template);
    expect(ran).toHaveLength(before + 1);
  });

  it("does the work once for callers at the same time", async () => {
    const all = await Promise.all([1, 2].map(() => prepareTemplate("code-interpreter", options(host()))));
    expect(all[0]).toEqual(all[1]);
    expect(ran.filter((command) => command.includes(" install "))).toHaveLength(1);
  });

  it("goes on after a start that was killed", async () => {
    mkdirSync(join(parent, "unfinished-abc/site-packages"), { recursive: true });
    writeFileSync(join(parent, "lock"), `${process.pid} 1`);
    await prepareTemplate("code-interpreter", options(host()));
    expect(existsSync(join(parent, "unfinished-abc"))).toBe(false);
    expect(existsSync(join(parent, "lock"))).toBe(false);
  });

  it("leaves nothing half done when pip fails, and says why", async () => {
    const run = host((command) =>
      command.includes(" install ")
        ? { code: 1, lines: ["Looking", "ERROR: No matching distribution", "x"] }
        : undefined,
    );
    const failed = prepareTemplate("code-interpreter", options(run));
    await expect(failed).rejects.toMatchObject({
      code: "SERVICE_UNAVAILABLE",
      message: expect.stringMatching(/No matching distribution.*pypi\.org/) as string,
    });
    expect(readdirSync(parent)).toEqual([]);
  });

  it("takes a pip of another Python when its own has none", async () => {
    const run = host((command) => (command.includes("/usr/bin/python3 -m pip") ? { code: 1, lines: [] } : undefined));
    await prepareTemplate("code-interpreter", options(run));
    expect(ran.find((command) => command.includes(" install "))).toContain("python3 -m pip --python /usr/bin/python3");
  });

  it.each([
    [true, 1],
    [false, 0],
  ])("without any pip and root %s, asks apt-get %i times and then the operator", async (root, times) => {
    const run = host((command) => (command.includes("--version") ? { code: 127, lines: [] } : undefined));
    const failed = prepareTemplate("code-interpreter", options(run, { root }));
    await expect(failed).rejects.toThrow(/apt-get install python3-pip/);
    expect(ran.filter((command) => command.includes("apt-get -q install"))).toHaveLength(times);
  });

  it("refuses templates it does not know, a missing Python and an old one", async () => {
    await expect(prepareTemplate("desktop", options(host()))).rejects.toMatchObject({ code: "TEMPLATE_NOT_FOUND" });
    const none = host(() => ({ code: 127, lines: [] }));
    await expect(prepareTemplate("code-interpreter", options(none))).rejects.toThrow(/apt-get install python3\)/);
    const old = host(() => ({ code: 0, lines: ["3.9 x86_64"] }));
    await expect(prepareTemplate("code-interpreter", options(old))).rejects.toThrow(/3\.10 or later/);
  });
});

describe("requirementsFor", () => {
  it.each(["3.10", "3.11", "3.13"])("pins every package for Python %s", (python) => {
    const list = requirementsFor(python);
    expect(list.every((line) => /^[a-z0-9-]+==[\d.]+$/.test(line))).toBe(true);
    expect(new Set(list.map((line) => line.split("==")[0])).size).toBe(list.length);
    for (const name of ["numpy", "pandas", "matplotlib"]) {
      expect(list.some((line) => line.startsWith(`${name}==`))).toBe(true);
    }
  });
});

describe("pipProgress", () => {
  it.each([
    ["  Downloading numpy-2.4.6-cp311-cp311-x.whl (16.9 MB)", "downloading numpy 2.4.6 (16.9 MB)"],
    ["  Using cached idna-3.20-py3-none-any.whl (69 kB)", "has idna 3.20 (69 kB)"],
    ["Installing collected packages: numpy, pandas", "unpacking packages"],
    ["Collecting numpy==2.4.6", undefined],
  ])("reads %s", (line, text) => {
    expect(pipProgress(line)).toBe(text);
  });
});
