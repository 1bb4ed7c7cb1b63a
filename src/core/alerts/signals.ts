/** What somebody should perhaps be told. Raising one never fails and never waits; alerts are made of many (src/core/alerts). */
export type Signal =
  /** A key or token was refused. `projectId` and `keyId` where the key is known. */
  | {
      readonly type: "auth.refused";
      readonly plane: "control" | "data";
      readonly code: string;
      readonly sourceIp: string | null;
      readonly projectId: string | null;
      readonly keyId: string | null;
    }
  /** A key that was revoked or has expired was shown. */
  | {
      readonly type: "key.dead_used";
      readonly projectId: string;
      readonly keyId: string;
      readonly state: "revoked" | "expired";
      readonly sourceIp: string | null;
    }
  /** The decoy that lies in a sandbox was shown at one of our doors. */
  | {
      readonly type: "decoy.used";
      readonly projectId: string;
      readonly sandboxId: string;
      readonly sourceIp: string | null;
    }
  /** A key in use has passed its rotation date. */
  | { readonly type: "key.overdue"; readonly projectId: string; readonly keyId: string; readonly rotateAt: number }
  /** The egress proxy refused a connection. */
  | { readonly type: "egress.denied"; readonly projectId: string; readonly sandboxId: string; readonly host: string }
  /** A sweep had to end something that no record knew. */
  | { readonly type: "instance.leaked"; readonly instanceId: string }
  /** The audit record of a project does not hold together. */
  | { readonly type: "audit.broken"; readonly projectId: string; readonly seq: number; readonly what: string }
  | {
      readonly type: "spend.near";
      readonly projectId: string;
      readonly spentUsd: number;
      readonly capUsd: number;
    };

export interface Signals {
  raise(signal: Signal): void;
}
