import { text as readAll } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import * as z from "zod";
import { connect } from "./connection.ts";
import { cliEnvSchema } from "./environment.ts";
import { CliError, exitCodes } from "./failure.ts";
import { Interrupted, makeInterrupts } from "./interrupts.ts";
import { runPlatform } from "./platform-process.ts";
import { makeProcessOutput } from "./process-output.ts";
import { makeProgram } from "./program.ts";
import { readSecret } from "./secrets/ask.ts";
import { makeTerminal } from "./terminal.ts";

/** Set by the bundler. */
declare const __BULKHEAD_VERSION__: string;

const output = makeProcessOutput(process.stdout, process.stderr);

const interrupts = makeInterrupts(
  process,
  process.stdout,
  (code) => {
    output.err('bulkhead: ended before everything was cleaned up; "bulkhead ls" shows what is left');
    process.exit(code);
  },
  () => Date.now(),
);

async function main(): Promise<void> {
  const env = cliEnvSchema.safeParse(process.env);
  if (!env.success)
    throw new CliError(`The environment is not usable:\n${z.prettifyError(env.error)}`, exitCodes.usage);
  const program = makeProgram({
    version: __BULKHEAD_VERSION__,
    output,
    terminal: makeTerminal(process),
    interrupts,
    now: () => Date.now(),
    sleep: (milliseconds, signal) => pause(milliseconds, undefined, { signal }).catch(() => undefined),
    readInput: () => readAll(process.stdin),
    readSecret: (prompt) => readSecret(process, prompt),
    variable: (name) => process.env[name],
    connect: (flags) => connect(flags, env.data),
    runPlatform: (command, args, environment) =>
      runPlatform({
        program: fileURLToPath(new URL("./local.mjs", import.meta.url)),
        command,
        arguments: args,
        environment: { ...process.env, ...environment },
        root: process.geteuid?.() === 0,
      }),
    setExitCode: (code) => {
      process.exitCode = code;
    },
  });
  await program.parseAsync();
}

try {
  await main();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  } else if (error instanceof CliError) {
    if (!(error instanceof Interrupted)) output.err(`bulkhead: ${error.message}`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
