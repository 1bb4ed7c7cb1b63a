/** Why something does not go out, as the sandbox's code is told. */
export interface Refusal {
  readonly status: 400 | 403 | 407 | 502 | 503;
  /** One short phrase, for the record. */
  readonly reason: string;
  /** Of the policy, as text; null where none decided. */
  readonly rule: string | null;
}

export function refusal(status: Refusal["status"], reason: string, rule: string | null = null): Refusal {
  return { status, reason, rule };
}

export function messageOf({ reason }: Refusal): string {
  return `Bulkhead egress proxy: ${reason}.`;
}
