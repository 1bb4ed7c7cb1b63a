import { placeholderPrefix } from "#contracts/control/secrets.ts";
import type { Clock } from "./ports.ts";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";
const length = 32;

/** 160 random bits in letters that no encoding of an address or a header changes. */
export function makePlaceholder(clock: Pick<Clock, "random">): string {
  const letters = [...clock.random(length)].map((byte) => alphabet[byte % alphabet.length]);
  return placeholderPrefix + letters.join("");
}
