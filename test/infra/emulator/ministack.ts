import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureMinistack } from "../../../scripts/ensure-ministack.mjs";
import { startPythonServer } from "../../support/python-server.ts";

/** A ministack of one's own: an AWS account on this machine whose CloudFormation refuses the resource types that it does not know. */
export interface Ministack {
  /** http://127.0.0.1:port */
  readonly endpoint: string;
  /** Empties the account. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

const program = `
import sys
sys.argv = ["ministack"]
from ministack.app import main
main()
`;

/** Installs ministack if it is not there yet (half a minute, once). @throws Error that says what to do when it cannot */
export async function startMinistack(account: string): Promise<Ministack> {
  const python = await ensureMinistack((line) => console.error(line));
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-ministack-"));
  const env = {
    BIND_HOST: "127.0.0.1",
    GATEWAY_PORT: "0",
    MINISTACK_ACCOUNT_ID: account,
    TMPDIR: directory,
    S3_DATA_DIR: join(directory, "s3"),
    // It would open ports of its own for these, and look for containers to run or clear away: nothing here may depend on Docker.
    IOT_MTLS_ENABLED: "0",
    SFTP_ENABLED: "0",
    DOCKER_HOST: `unix://${join(directory, "no-docker")}`,
  };
  const server = await startPythonServer({ name: "ministack", python, program, env });
  return {
    endpoint: server.endpoint,
    async reset() {
      const answer = await fetch(`${server.endpoint}/_ministack/reset`, {
        method: "POST",
        signal: AbortSignal.timeout(30_000),
      });
      if (!answer.ok) throw new Error(`ministack answered ${answer.status} to its reset: ${await answer.text()}`);
    },
    async stop() {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
