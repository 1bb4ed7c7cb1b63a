import type { Written } from "#core/ports.ts";
import type { Authority } from "#egress/certificates/authority.ts";

/**
 * The deployment's egress CA: made once and then kept, since instances trust the one that they were started with.
 * @returns what was done
 */
export async function ensureAuthority(deps: {
  readonly certificate: () => Promise<string | undefined>;
  readonly make: () => Promise<Authority>;
  /** Lost: another one was there first. */
  readonly create: (authority: Authority) => Promise<Written>;
}): Promise<"kept" | "made"> {
  if ((await deps.certificate()) !== undefined) return "kept";
  return (await deps.create(await deps.make())) === "written" ? "made" : "kept";
}
