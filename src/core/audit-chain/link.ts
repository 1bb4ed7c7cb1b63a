import { createHash } from "node:crypto";
import type { AuditEvent } from "../model.ts";
import type { ChainedEvent } from "../ports.ts";
import { canonicalJson } from "./canonical.ts";

/** What the first event of a chain continues. */
export const genesis = "0".repeat(64);

/** SHA-256 over what is continued, the place, and the event: lower-case hex. */
export function linkHash(prev: string, seq: number, event: AuditEvent): string {
  return createHash("sha256")
    .update(`${prev}\n${seq}\n${canonicalJson(event)}`)
    .digest("hex");
}

export interface ChainHead {
  /** 0: empty. */
  readonly seq: number;
  readonly hash: string;
}

export const emptyHead: ChainHead = { seq: 0, hash: genesis };

/** Gives events their places after `head`. */
export function chain(head: ChainHead, events: readonly AuditEvent[]): readonly ChainedEvent[] {
  let { seq, hash: prev } = head;
  return events.map((event) => {
    seq += 1;
    const hash = linkHash(prev, seq, event);
    const chained = { seq, prev, hash, event };
    prev = hash;
    return chained;
  });
}
