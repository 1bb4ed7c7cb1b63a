import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import * as z from "zod";
import { connect } from "./connection.ts";
import { cliEnvSchema } from "./environment.ts";
import { CliError, exitCodes } from "./failure.ts";
import type { Output } from "./output.ts";
import { runPlatform } from "./platform-process.ts";
import { makeProgram } from "./program.ts";

/** Set by the bundler. */
declare const __BULKHEAD_VERSION__: string;

const output: Output = {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
};

async function main(): Promise<void> {
  const env = cliEnvSchema.safeParse(process.env);
  if (!env.success)
    throw new CliError(`The environment is not usable:\n${z.prettifyError(env.error)}`, exitCodes.usage);
  const program = makeProgram({
    version: __BULKHEAD_VERSION__,
    output,
    now: () => Date.now(),
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
    output.err(`bulkhead: ${error.message}`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
