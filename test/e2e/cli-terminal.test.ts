import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { control, createRaw } from "./support/http.ts";
import { type RunningPlatform, startPlatform } from "./support/platform.ts";
import { ensureTmux, openPane, type Pane } from "./support/tmux.ts";
import { until } from "./support/until.ts";

const command = process.env["BULKHEAD_COMMAND"] ?? resolve(import.meta.dirname, "../../dist/bulkhead.mjs");
const outerShell = "env PS1='outer> ' /bin/bash --norc --noprofile";
let platform: RunningPlatform;
let pane: Pane;
let directory: string;

beforeAll(async () => {
  await ensureTmux();
  directory = await mkdtemp(join(tmpdir(), "bulkhead-terminal-"));
  platform = await startPlatform();
});
afterAll(async () => {
  await platform.stop();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(async () => {
  pane = await openPane(outerShell, { BULKHEAD_URL: platform.url, BULKHEAD_API_KEY: platform.apiKey });
  await pane.shows(/outer> $/m);
});
afterEach(() => pane.close());

async function line(text: string): Promise<void> {
  await pane.type(text);
  await pane.press("Enter");
}

const bulkhead = `'${process.execPath}' '${command}'`;
const prompt = /user@sandbox\S*\$ $/m;

describe("bulkhead sh in a real terminal", () => {
  it("runs commands, follows the window's size, passes Ctrl-C on, and ends with the shell's exit code", async () => {
    await line(`${bulkhead} sh --new`);
    await pane.shows(prompt);
    await line("echo $((6 * 7))-answers; stty size");
    await pane.shows(/^42-answers\n30 100$/m);
    await pane.resize(72, 19);
    await line("until [ \"$(stty size)\" = '19 72' ]; do sleep 0.05; done; echo now $(stty size)");
    await pane.shows(/^now 19 72$/m);
    await line("trap 'echo in the sandbox' EXIT; echo ünï-✓; sleep 1000");
    await pane.shows(/^ünï-✓$/m);
    await pane.press("C-c");
    await pane.shows(/\^C\n.*user@sandbox/);
    await line("exit 7");
    await pane.shows(/^in the sandbox\nouter> $/m);
    // The terminal is as it was: what is typed is shown, and lines are read.
    await line("echo ended with $?; stty -a | grep -o ' icanon'; stty -a | grep -o ' echo '");
    await pane.shows(/^ended with 7\n icanon\n echo $/m);
    expect((await control(platform, "GET", "/v1/sandboxes")).body).toMatchObject({ data: [] });
  });

  it("says detached when the sandbox ends underneath, and gives the terminal back", async () => {
    const { id } = await createRaw(platform);
    await line(`${bulkhead} sh ${id}`);
    await pane.shows(prompt);
    await control(platform, "DELETE", `/v1/sandboxes/${id}`);
    await pane.shows(/Detached: the connection to sandbox/);
    await line("echo ended with $?; stty -a | grep -o ' icanon'");
    await pane.shows(/^ended with 6\n icanon$/m);
  });

  it("kills the sandbox it has made when its terminal is closed", async () => {
    await line(`${bulkhead} sh --new`);
    await pane.shows(prompt);
    await pane.close();
    await until("empty list", async () => {
      const { body } = await control(platform, "GET", "/v1/sandboxes");
      return z.object({ data: z.array(z.unknown()) }).parse(body).data.length === 0;
    });
  });

  it("shows progress of a copy, and takes it away", async () => {
    const { id } = await createRaw(platform);
    const written = join(directory, "written");
    const big = join(directory, "big");
    await writeFile(big, Buffer.alloc(60_000_000));
    await pane.record(written);
    await line(`${bulkhead} cp ${big} ${id}:`);
    expect(await pane.shows(/copied 1 file, 60 MB/)).not.toContain("%");
    await until("progress", () => /\rbig {2}|Kbig {2}/.test(readFileSync(written, "utf8")));
    expect(readFileSync(written, "utf8")).toMatch(/big {2}[\d.]+ .?B of 60 MB {2}\d+%/);
    await control(platform, "DELETE", `/v1/sandboxes/${id}`);
  });

  it("draws the list again and again", async () => {
    const { id } = await createRaw(platform);
    await line(`${bulkhead} ls --watch --interval 1`);
    await pane.shows(new RegExp(`^${id} +running`, "m"));
    await control(platform, "DELETE", `/v1/sandboxes/${id}`);
    await pane.shows(/^No sandboxes\.$/m);
    await pane.press("C-c");
    await line("echo ended with $?");
    await pane.shows(/^ended with 130$/m);
  });
});
