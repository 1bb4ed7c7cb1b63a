import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { InstanceRecord, SandboxRecord } from "#core/model.ts";
import { instanceItemSchema, sandboxItemSchema } from "./schemas.ts";

/** One record of the table's stream, as Lambda hands it over. */
export interface StreamRecord {
  readonly eventName?: "INSERT" | "MODIFY" | "REMOVE" | undefined;
  readonly userIdentity?: { readonly principalId?: string; readonly type?: string } | null | undefined;
  readonly dynamodb?:
    | {
        readonly NewImage?: Readonly<Record<string, unknown>> | undefined;
        readonly OldImage?: Readonly<Record<string, unknown>> | undefined;
        readonly SequenceNumber?: string | undefined;
      }
    | undefined;
}

/** What the platform acts on among the changes of its table. */
export type TableChange =
  /** An instance is asked for. */
  | { readonly type: "wanted"; readonly instance: InstanceRecord }
  /** A warm instance now belongs to a sandbox. */
  | { readonly type: "claimed"; readonly instance: InstanceRecord }
  /** DynamoDB removed a record whose time had passed, although whatever it stands for should have been ended long before. */
  | { readonly type: "instance-expired"; readonly instance: InstanceRecord }
  | { readonly type: "sandbox-expired"; readonly sandbox: SandboxRecord };

/** @returns null for changes nobody acts on: filters of the event source let only few of them through */
export function tableChange(record: StreamRecord): TableChange | null {
  const before = imageOf(record.dynamodb?.OldImage);
  const after = imageOf(record.dynamodb?.NewImage);
  if (record.eventName === "REMOVE") return isByTtl(record) ? expired(before) : null;
  const instance = instanceOf(after);
  if (instance === null) return null;
  if (record.eventName === "INSERT") {
    return instance.state === "starting" && instance.providerId === null ? { type: "wanted", instance } : null;
  }
  const wasWarm = instanceOf(before)?.state === "warm";
  return wasWarm && instance.state === "claimed" ? { type: "claimed", instance } : null;
}

function expired(before: Image): TableChange | null {
  const instance = instanceOf(before);
  if (instance !== null) return { type: "instance-expired", instance };
  if (!before.pk.startsWith("SANDBOX#")) return null;
  const sandbox = sandboxItemSchema.safeParse(before.item);
  // A tombstone has served its time.
  return sandbox.success && sandbox.data.endedAt === null ? { type: "sandbox-expired", sandbox: sandbox.data } : null;
}

/** Deletes by TTL come from DynamoDB itself, ours from a role. */
function isByTtl({ userIdentity }: StreamRecord): boolean {
  return userIdentity?.principalId === "dynamodb.amazonaws.com" && userIdentity.type === "Service";
}

interface Image {
  readonly pk: string;
  readonly item: Readonly<Record<string, unknown>>;
}

function imageOf(image: Readonly<Record<string, unknown>> | undefined): Image {
  // The event's own types and the SDK's describe the same wire format.
  const item: Record<string, unknown> = image === undefined ? {} : unmarshall(image as Record<string, AttributeValue>);
  return { pk: typeof item["pk"] === "string" ? item["pk"] : "", item };
}

function instanceOf({ pk, item }: Image): InstanceRecord | null {
  if (!pk.startsWith("INSTANCE#")) return null;
  const parsed = instanceItemSchema.safeParse(item);
  return parsed.success ? parsed.data : null;
}
