import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliError, exitCodes } from "#cli/failure.ts";
import { type AskedAt, readSecret } from "#cli/secrets/ask.ts";
import type { SecretView } from "#contracts/control/secrets.ts";
import { setUp } from "./support.ts";

const canary = "canary-6c1f";
const kept: SecretView = {
  object: "secret",
  name: "github",
  version: 2,
  created_at: "2026-11-22T11:50:00.000Z",
  updated_at: "2026-11-22T11:55:30.000Z",
};
const usage = { exitCode: exitCodes.usage };

function withStore(input = "") {
  const put: string[][] = [];
  const set = setUp({
    controlPlane: {
      secrets: async () => [kept],
      putSecret: async (name, value) => {
        put.push([name, value]);
        return { ...kept, name, version: put.length };
      },
      removeSecret: async (name) => {
        if (name !== "github") throw new CliError(`Secret ${name} not found.`, exitCodes.notFound);
      },
    },
    deps: { readSecret: async () => input },
  });
  return { ...set, put };
}

let directory = "";
beforeAll(() => {
  directory = mkdtempSync("/tmp/bh-cli-secrets-");
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("bulkhead secrets set", () => {
  it.each([
    ["as it is", "v w", "v w"],
    ["without one line end", "v\n\n", "v\n"],
    ["without the line end of Windows", "v\r\n", "v"],
    ["of several lines", "-----\na\n-----\n", "-----\na\n-----"],
  ])("keeps what it reads %s and prints nothing of it", async (_case, input, value) => {
    const set = withStore(input);
    expect(await set.run("secrets", "set", "team/github")).toEqual({
      out: "team/github is kept, version 1\n",
      err: "",
      exitCode: 0,
    });
    expect(set.put).toEqual([["team/github", value]]);
  });

  it("reads a file, and prints one document with --json", async () => {
    writeFileSync(`${directory}/value`, `${canary}\n`);
    const set = withStore();
    const { out } = await set.run("secrets", "set", "a", "--file", `${directory}/value`, "--json");
    expect(set.put).toEqual([["a", canary]]);
    expect(JSON.parse(out)).toMatchObject({ name: "a", version: 1 });
    expect(out).not.toContain(canary);
  });

  it("refuses files that are not there, and bytes that are no text", async () => {
    writeFileSync(`${directory}/bytes`, Buffer.from([0x61, 0xff]));
    const { run, put } = withStore();
    await expect(run("secrets", "set", "a", "--file", `${directory}/none`)).rejects.toMatchObject({
      exitCode: exitCodes.notFound,
    });
    await expect(run("secrets", "set", "a", "--file", `${directory}/bytes`)).rejects.toMatchObject(usage);
    expect(put).toEqual([]);
  });

  it.each([
    ["nothing", ""],
    ["a line end", "\n"],
    ["a NUL", `${canary}\0`],
    ["too much", canary.repeat(10_000)],
  ])("refuses %s", async (_case, input) => {
    const set = withStore(input);
    const refused = set.run("secrets", "set", "a");
    await expect(refused).rejects.toMatchObject(usage);
    await expect(refused).rejects.not.toThrow(canary);
    expect(set.put).toEqual([]);
  });

  it.each([[["github", canary]], [[`github=${canary}`]]])(
    "refuses a value in an argument, and does not repeat it",
    async (args) => {
      const set = withStore("other");
      const refused = set.run("secrets", "set", ...args);
      await expect(refused).rejects.toThrow(/give it on standard input/);
      await expect(refused).rejects.toMatchObject(usage);
      await expect(refused).rejects.not.toThrow(canary);
      expect(set.put).toEqual([]);
    },
  );

  it("refuses what is no name", async () => {
    await expect(withStore("v").run("secrets", "set", "a b")).rejects.toMatchObject(usage);
  });
});

describe("bulkhead secrets list and rm", () => {
  it("lists names and times", async () => {
    const { out } = await withStore().run("secrets", "ls");
    expect(out).toBe(
      "NAME    VERSION  CREATED (UTC)     UPDATED (UTC)\ngithub  2        2026-11-22 11:50  2026-11-22 11:55\n",
    );
    expect(JSON.parse((await withStore().run("secrets", "list", "--json")).out)).toEqual([kept]);
    expect((await setUp().run("secrets", "list")).out).toBe("No secrets.\n");
  });

  it("removes what it can and answers with the failure's exit code", async () => {
    expect(await withStore().run("secrets", "rm", "gone", "github")).toEqual({
      out: "github removed\n",
      err: "bulkhead: cannot remove gone: Secret gone not found.\n",
      exitCode: exitCodes.notFound,
    });
    const { out, exitCode } = await withStore().run("secrets", "rm", "github", "--json");
    expect(JSON.parse(out)).toEqual([{ name: "github", removed: true, problem: null }]);
    expect(exitCode).toBe(0);
  });
});

describe("bulkhead create --secret and --broker", () => {
  it("say how each is delivered", async () => {
    const set = setUp();
    await set.run(
      "create",
      "--secret",
      "DB=team/db#pass=1",
      "--broker",
      "A=x@y#k@api.github.com,*.Example.com:8443",
      "--broker",
      "B=b@h",
    );
    expect(set.creates[0]?.secrets).toEqual({
      DB: { from: "team/db#pass=1", deliver: "env" },
      A: { from: "x@y#k", deliver: "broker", hosts: ["api.github.com", "*.example.com:8443"] },
      B: { from: "b", deliver: "broker", hosts: ["h"] },
    });
  });

  it.each([
    ["no name", ["--secret", canary]],
    ["a name that no variable has", ["--secret", `1=${canary}`]],
    ["no reference", ["--secret", "A="]],
    ["what is no reference", ["--secret", `A=${canary} ${canary}`]],
    ["no host", ["--broker", `A=${canary}`]],
    ["an empty host", ["--broker", `A=${canary}@`]],
    ["what is no host", ["--broker", `A=b@https://${canary}/`]],
    ["a name twice", ["--secret", "A=b", "--secret", `A=${canary}`]],
    ["a name in both", ["--secret", "A=b", "--broker", "A=b@c"]],
  ])("refuse %s, and do not repeat it", async (_case, flags) => {
    const set = setUp();
    const refused = set.run("create", ...flags);
    await expect(refused).rejects.toMatchObject(usage);
    await expect(refused).rejects.not.toThrow(canary);
    expect(set.creates).toEqual([]);
  });
});

describe("a secret's value", () => {
  function at(isTTY: boolean) {
    const shown: string[] = [];
    const input = new PassThrough();
    const terminal = {
      stdin: Object.assign(input, { isTTY }),
      stderr: { write: (text: string) => shown.push(text) > 0 },
    };
    return { input, shown, terminal: terminal as unknown as AskedAt };
  }

  it("is all of standard input where it is no terminal", async () => {
    const { input, shown, terminal } = at(false);
    input.end("a\nb\n");
    expect(await readSecret(terminal, "Value: ")).toBe("a\nb\n");
    expect(shown).toEqual([]);
  });

  it("is asked for and not shown at a terminal", async () => {
    const { input, shown, terminal } = at(true);
    const asked = readSecret(terminal, "Value: ");
    input.write(`${canary}x\u007f\r`);
    expect(await asked).toBe(canary);
    expect(shown).toEqual(["Value: ", "\n"]);
  });

  it("is none after Ctrl-D, and Ctrl-C ends the command", async () => {
    const ended = at(true);
    const none = readSecret(ended.terminal, "");
    ended.input.write("\u0004");
    expect(await none).toBe("");
    const stopped = at(true);
    const interrupted = readSecret(stopped.terminal, "");
    stopped.input.write("\u0003");
    await expect(interrupted).rejects.toMatchObject({ name: "Interrupted", exitCode: 130 });
  });

  it("is refused when several lines were pasted", async () => {
    const { input, terminal } = at(true);
    const asked = readSecret(terminal, "");
    input.write(`${canary}\rmore\r`);
    await expect(asked).rejects.toThrow(/several lines/);
  });
});
