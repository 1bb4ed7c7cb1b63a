import { BulkheadError } from "#contracts/errors.ts";
import type { CoreDeps } from "./deps.ts";
import type { CreateInput } from "./draft.ts";
import type { SandboxRecord } from "./model.ts";
import { awsEnvironment } from "./network/aws-environment.ts";

/**
 * The variables a sandbox begins with: values of its secrets, placeholders of the brokered ones, stand-ins for AWS, and over all of them
 * what its caller gave.
 * @throws BulkheadError INVALID_REQUEST for a secret that cannot be used, FORBIDDEN for one that its policy keeps out
 */
export async function startEnv(
  deps: CoreDeps,
  draft: SandboxRecord,
  input: CreateInput,
): Promise<Record<string, string>> {
  const { vault } = deps.ports;
  const { projectId, network, brokered } = draft;
  const secrets = input.secrets ?? {};
  const names = Object.keys(secrets);
  if (names.length > 0 && !network.envSecrets) {
    throw new BulkheadError(
      "FORBIDDEN",
      `The network policy keeps secrets out of the environment: ${names.join(", ")}. Deliver them with deliver: "broker".`,
      { details: { secrets: names } },
    );
  }
  // One that does not exist is told now, and not to the first request that needs it. The values stay with the proxy.
  const references = Object.fromEntries(brokered.map(({ name, reference }) => [name, reference]));
  const all = { ...secrets, ...references };
  const values = Object.keys(all).length === 0 ? {} : await vault.resolve(projectId, all);
  return {
    ...(network.aws.length === 0 ? {} : awsEnvironment(deps.config.region)),
    ...Object.fromEntries(names.map((name) => [name, values[name] ?? ""])),
    ...Object.fromEntries(brokered.map(({ name, placeholder }) => [name, placeholder])),
    ...input.env,
  };
}
