import { execFileSync } from "node:child_process";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { completionScript, shells } from "#cli/completion-scripts.ts";
import { completionTree } from "#cli/completion-tree.ts";
import { setUp } from "./support.ts";

const { program } = setUp();
const nodes = completionTree(program);

function wordsOf(command: Command): string[] {
  const own = command.options.flatMap(({ long, short }) => [long, short].filter((name) => typeof name === "string"));
  return [...own, ...command.commands.flatMap((child) => [child.name(), ...child.aliases(), ...wordsOf(child)])];
}

/** What bash offers for the words so far, the last of which is being typed. */
function offered(...words: readonly string[]): readonly string[] {
  const script = `${completionScript("bash", nodes)}
COMP_WORDS=(bulkhead "$@"); COMP_CWORD=$#; _bulkhead; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync("bash", ["--norc", "-c", script, "bash", ...words], { encoding: "utf8" })
    .split("\n")
    .filter(Boolean);
}

describe("completion scripts", () => {
  it.each(shells)("of %s hold every command and every option", (shell) => {
    const script = completionScript(shell, nodes);
    const missing = wordsOf(program).filter((word) => {
      const text = shell !== "fish" ? word : word.startsWith("--") ? `-l ${word.slice(2)}` : word.replace(/^-/, "-s ");
      return !script.includes(text);
    });
    expect(missing).toEqual([]);
  });

  it("complete commands, options, and choices in bash", () => {
    expect(offered("ki")).toEqual(["kill"]);
    expect(offered("")).toEqual(expect.arrayContaining(["run", "exec", "sh", "cp", "logs", "ls", "list", "keys"]));
    expect(offered("ls", "--st")).toEqual(["--status"]);
    expect(offered("ls", "--status", "p")).toEqual(["paused"]);
    expect(offered("keys", "")).toEqual(expect.arrayContaining(["create", "list", "revoke"]));
    expect(offered("keys", "create", "--exp")).toEqual(["--expires"]);
    expect(offered("run", "--template", "base", "x.py", "--ke")).toEqual(["--keep"]);
    expect(offered("completion", "z")).toEqual(["zsh"]);
  });

  it("leave the words of a command after -- and the values of options to the shell", () => {
    expect(offered("exec", "s1", "--", "ki")).toEqual([]);
    expect(offered("run", "--out", "k")).toEqual([]);
  });

  it("are printed, and with --json what they are made of", async () => {
    expect((await setUp().run("completion", "fish")).out).toContain("complete -c bulkhead");
    expect(JSON.parse((await setUp().run("completion", "bash", "--json")).out)).toHaveLength(nodes.length);
    await expect(setUp().run("completion", "csh")).rejects.toMatchObject({ code: "commander.invalidArgument" });
  });
});

describe("every command", () => {
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);

  it.each(leaves(program).map((command) => [command.name(), command] as const))(
    "%s has --json and examples",
    (_, command) => {
      expect(command.options.map(({ long }) => long)).toContain("--json");
      expect(command.description()).not.toBe("");
    },
  );
});
