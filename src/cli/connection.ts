import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { parseUrl } from "./arguments.ts";
import { type ControlPlane, makeControlPlane } from "./control-plane.ts";
import { type CliEnv, defaultHome, defaultPort } from "./environment.ts";
import { CliError, exitCodes } from "./failure.ts";

/** Flags of every command that talks to a control plane. */
export interface ConnectionFlags {
  readonly url?: string;
  readonly apiKey?: string;
}

export function addConnectionOptions(command: Command): Command {
  return command
    .option("--url <url>", "control plane (default BULKHEAD_URL, else http://127.0.0.1:8080)", parseUrl)
    .option(
      "--api-key <key>",
      "API key (default BULKHEAD_API_KEY, HOPX_API_KEY, else the file api-key in BULKHEAD_HOME)",
    );
}

/** Flag, then environment, then what `bulkhead start` leaves in the data directory. */
export function connect(flags: ConnectionFlags, env: CliEnv): ControlPlane {
  const url = flags.url ?? env.BULKHEAD_URL ?? `http://127.0.0.1:${env.BULKHEAD_PORT ?? defaultPort}`;
  const key = flags.apiKey ?? env.BULKHEAD_API_KEY ?? env.HOPX_API_KEY ?? keyFromFile(env.BULKHEAD_HOME ?? defaultHome);
  return makeControlPlane(url, key);
}

function keyFromFile(home: string): string {
  const path = join(home, "api-key");
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new CliError(
      `No API key: ${path} cannot be read. Pass --api-key or BULKHEAD_API_KEY, or run "bulkhead start" here first, which writes one.`,
      exitCodes.auth,
      cause,
    );
  }
}
