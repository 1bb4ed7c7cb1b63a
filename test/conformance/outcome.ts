/** What a check found: null when the method keeps its promise, else why not. */
export type Outcome = string | null;

export interface ConformanceRow {
  readonly name: string;
  readonly outcome: Outcome;
}

/** Reasons that are accepted; anything else is a failure. */
export const accepted = {
  desktop: "not served yet: no template has a desktop; answers DESKTOP_NOT_AVAILABLE",
  build: "not served yet: templates are not built here; answers CONFLICT that says so",
  preview: "client bug: it knows no host but `*.vms.hopx.dev`; works where the gateway has a domain (docs/security.md)",
  update: "not served on purpose: an agent is replaced with its image; answers RESOURCE_NOT_FOUND",
  local: "runs in the client alone",
  deprecated: "client internals",
} as const;

const reasons: ReadonlySet<string> = new Set(Object.values(accepted));

export function isFailure({ outcome }: ConformanceRow): boolean {
  return outcome !== null && !reasons.has(outcome);
}

/** A check that must come out well. */
export async function passes(check: () => unknown): Promise<Outcome> {
  try {
    await check();
    return null;
  } catch (error) {
    return `FAILED: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`;
  }
}

/** A check that must be refused with a text that matches, for an accepted reason. */
export async function refusedFor(reason: string, check: () => unknown, matching: RegExp): Promise<Outcome> {
  try {
    await check();
  } catch (error) {
    const text = error instanceof Error ? `${error.name} ${error.message}` : String(error);
    return matching.test(text) ? reason : `FAILED: refused with ${text.split("\n")[0]}`;
  }
  return "FAILED: was not refused";
}
