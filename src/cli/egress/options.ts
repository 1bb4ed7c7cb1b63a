import { type Command, InvalidArgumentError } from "commander";
import { type CommonFlags, parseSeconds } from "../options.ts";
import type { EgressAsked } from "./rows.ts";

export interface EgressFlags extends CommonFlags {
  readonly sandbox?: string;
  readonly host?: string;
  readonly denied?: boolean;
  readonly since?: Since;
}

/** So many seconds before now, or a moment. */
export type Since = { readonly seconds: number } | { readonly at: number };

export function addEgressOptions(command: Command): Command {
  return command
    .option("--sandbox <id>", "only of this sandbox")
    .option("--host <name>", "only to this host; *.example.com for those below it")
    .option("--denied", "only what was refused")
    .option(
      "--since <when>",
      "recorded within this time, like 10m, or from a moment on, like 2026-11-23T09:00:00Z",
      parseSince,
    );
}

/** Epoch milliseconds; null where nothing was said. */
export function sinceOf({ since }: EgressFlags, now: number): number | null {
  if (since === undefined) return null;
  return "at" in since ? since.at : now - since.seconds * 1000;
}

export function askedOf({ sandbox, host, denied }: EgressFlags): EgressAsked {
  return { sandbox, host, ...(denied === true && { decision: "deny" as const }) };
}

export function parseSince(text: string): Since {
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const at = Date.parse(text);
    if (Number.isFinite(at)) return { at };
    throw new InvalidArgumentError("A moment looks like 2026-11-23T09:00:00Z.");
  }
  return { seconds: parseSeconds(text) };
}
