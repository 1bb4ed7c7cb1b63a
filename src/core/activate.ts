import type { ActivateRequest } from "#contracts/agent-control.ts";
import type { CoreDeps } from "./deps.ts";
import { makeKey } from "./keys/issue.ts";
import type { Endpoint, SandboxRecord } from "./model.ts";

/** A decoy is told from an unknown key for this long after its sandbox can have lived. */
const afterSeconds = 30 * 86_400;

/** Gives an instance to its sandbox, and with it a decoy: a key that looks like any other and opens nothing (docs/runbooks.md#decoy-used). */
export async function activateSandbox(
  deps: CoreDeps,
  endpoint: Endpoint,
  request: ActivateRequest,
  sandbox: SandboxRecord,
): Promise<void> {
  const { agent, keys, logger, secretValues } = deps.ports;
  const { decoyPath } = deps.config;
  if (decoyPath === undefined) return agent.activate(endpoint, request);
  const { record, key } = makeDecoy(deps, sandbox);
  secretValues?.remember({ id: sandbox.id, projectId: sandbox.projectId }, { decoy: key });
  await Promise.all([
    agent.activate(endpoint, { ...request, decoy: { path: decoyPath, content: `${key}\n` } }),
    // One that is not known opens nothing either: the sandbox is made all the same.
    keys
      .insert(record)
      .catch((error: unknown) => logger.error("decoy of a sandbox not stored", { sandbox: sandbox.id, error })),
  ]);
}

function makeDecoy({ ports: { clock } }: CoreDeps, { id, projectId, deadlines }: SandboxRecord) {
  const expiresInSeconds = Math.ceil((deadlines.lifetimeAt - clock.now()) / 1000) + afterSeconds;
  const { record, key } = makeKey(clock, {}, projectId, { name: "decoy", scopes: [], expiresInSeconds });
  return { record: { ...record, rotateAt: null, decoyFor: id }, key };
}
