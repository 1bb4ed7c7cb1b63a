import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { serviceFailure } from "../service-failure.ts";

export interface RoleSession {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface RoleSessionsDeps {
  /** What may at most be granted to sandboxes. */
  readonly roleArn: string;
  readonly region: string;
  readonly clock: Pick<Clock, "now">;
  readonly logger: Logger;
  /** Sessions carry the tags `bulkhead:sandbox` and `bulkhead:project`; role and caller must allow sts:TagSession. @default true */
  readonly tagSessions?: boolean;
  /** @default one for `region`, with the caller's own credentials */
  readonly sts?: Pick<STSClient, "send">;
}

interface Owner {
  readonly sandboxId: string;
  readonly projectId: string;
}

/** The shortest that STS gives. */
const durationSeconds = 900;
/** One with less left is replaced before it is used. */
const renewMs = 300_000;
/** One with less left is not used at all: the request must arrive before its end. */
const spareMs = 15_000;
const mostKept = 5_000;

interface Entry {
  session: RoleSession | null;
  pending: Promise<RoleSession> | null;
}

/** A role session per sandbox and session policy: asked for once, however many want it, and used until shortly before its end. */
export function makeRoleSessions(deps: RoleSessionsDeps): (owner: Owner, policy: string) => Promise<RoleSession> {
  const { clock, logger } = deps;
  const sts = deps.sts ?? stsClient(deps.region);
  const entries = new Map<string, Entry>();

  function entryOf(key: string): Entry {
    const entry = entries.get(key) ?? { session: null, pending: null };
    // Last used, last in line.
    entries.delete(key);
    entries.set(key, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= mostKept) break;
      entries.delete(oldest);
    }
    return entry;
  }

  async function renew(entry: Entry, owner: Owner, policy: string): Promise<RoleSession> {
    try {
      entry.session = await assume(sts, deps, owner, policy);
      return entry.session;
    } catch (thrown) {
      if (left(entry) > spareMs && entry.session !== null) return entry.session;
      const { sandboxId: sandbox } = owner;
      logger.warn("no role session for a sandbox", { sandbox, role: deps.roleArn, error: thrown });
      throw failure(thrown);
    } finally {
      entry.pending = null;
    }
  }

  const left = ({ session }: Entry): number => (session === null ? 0 : session.expiresAt - clock.now());

  return (owner, policy) => {
    const entry = entryOf(`${owner.sandboxId}\n${owner.projectId}\n${policy}`);
    if (entry.session !== null && left(entry) > renewMs) return Promise.resolve(entry.session);
    entry.pending ??= renew(entry, owner, policy);
    return entry.pending;
  };
}

async function assume(
  sts: Pick<STSClient, "send">,
  { roleArn, tagSessions = true }: RoleSessionsDeps,
  { sandboxId, projectId }: Owner,
  policy: string,
): Promise<RoleSession> {
  const tags = { "bulkhead:sandbox": sandboxId, "bulkhead:project": projectId };
  const { Credentials: given } = await sts.send(
    new AssumeRoleCommand({
      RoleArn: roleArn,
      RoleSessionName: sandboxId,
      Policy: policy,
      DurationSeconds: durationSeconds,
      ...(tagSessions && { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value: tagValue(Value) })) }),
    }),
  );
  const {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration,
  } = given ?? {};
  if (!accessKeyId || !secretAccessKey || !sessionToken || Expiration === undefined) {
    throw new Error("STS answered without credentials");
  }
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt: Expiration.getTime() };
}

/** Tags take fewer characters than names of projects may have. */
function tagValue(text: string): string {
  return text.replace(/[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu, "_").slice(0, 256);
}

function failure(thrown: unknown): BulkheadError {
  switch (thrown instanceof Error ? thrown.name : "") {
    case "PackedPolicyTooLargeException":
    case "PackedPolicyTooLarge":
      return new BulkheadError("INVALID_REQUEST", "The sandbox's AWS grants are longer than AWS takes.", {
        cause: thrown,
      });
    case "MalformedPolicyDocumentException":
    case "MalformedPolicyDocument":
      return new BulkheadError("INVALID_REQUEST", "AWS does not understand the sandbox's AWS grants.", {
        cause: thrown,
      });
    case "AccessDenied":
    case "AccessDeniedException":
      return new BulkheadError("PERMISSION_DENIED", "This deployment gives sandboxes no access to AWS.", {
        cause: thrown,
      });
    default:
      return serviceFailure("The token service", thrown);
  }
}

function stsClient(region: string): STSClient {
  const requestHandler = new NodeHttpHandler({
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
  });
  return new STSClient({ region, maxAttempts: 3, requestHandler });
}
