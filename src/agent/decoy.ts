import { chown, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { DecoyFile } from "#contracts/agent-control.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { SecretValues } from "#telemetry/secret-values.ts";

interface Options {
  /** Who is to find it. @default - who the agent is */
  readonly uid?: number;
  readonly gid?: number;
  readonly secretValues: SecretValues;
  readonly logger: Logger;
}

/**
 * Lays the decoy while the sandbox is given away: nobody waits for it, and a sandbox without one works. Its directory belongs to the agent,
 * so that user code can put no link in its way.
 */
export function makeDecoyLayer({ uid, gid, secretValues, logger }: Options): (decoy: DecoyFile) => void {
  async function lay({ path, content }: DecoyFile): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "wx", 0o400);
    try {
      await file.writeFile(content);
    } finally {
      await file.close();
    }
    if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
  }
  return (decoy) => {
    secretValues.remember({ id: "decoy", projectId: "" }, { decoy: decoy.content.trim() });
    lay(decoy).catch((error: unknown) => logger.warn("decoy not laid", { error }));
  };
}
