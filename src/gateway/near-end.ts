import { toRfc3339 } from "#contracts/time.ts";
import type { Clock } from "#core/ports.ts";
import type { Target } from "./ports.ts";

/** From so long before the end of a sandbox its answers say when that is: whoever wants it longer has time to say so. */
const nearMs = 300_000;

export function nearEnd({ expiresAt }: Target, clock: Clock): string | null {
  return expiresAt !== null && expiresAt - clock.now() <= nearMs ? toRfc3339(expiresAt) : null;
}
