import { InvalidArgumentError } from "commander";
import { keyLifetimes } from "#contracts/control/api-keys.ts";
import type { NewKey } from "./control-plane.ts";

const unitSeconds = new Map([
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400],
]);

export function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new InvalidArgumentError("A port is a whole number from 1 to 65535.");
}

/** `base=2,code-interpreter=1`, handed on as it is. */
export function parsePool(text: string): string {
  if (/^[a-z][a-z0-9-]*=\d{1,4}(,[a-z][a-z0-9-]*=\d{1,4})*$/.test(text)) return text;
  throw new InvalidArgumentError("A pool is a list like base=2,code-interpreter=1.");
}

export function parseUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new InvalidArgumentError("A URL looks like http://127.0.0.1:8080.");
}

/** `30d`, `12h`, or one of the contract's words. */
export function parseKeyLifetime(text: string): NonNullable<NewKey["expires"]> {
  if (isLifetime(text)) return { in: text };
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  const seconds = Number(match?.[1]) * (unitSeconds.get(match?.[2] ?? "") ?? 0);
  if (seconds > 0) return { seconds };
  throw new InvalidArgumentError(`Give a time like 30d or 12h, or one of ${Object.keys(keyLifetimes).join(", ")}.`);
}

function isLifetime(text: string): text is keyof typeof keyLifetimes {
  return Object.hasOwn(keyLifetimes, text);
}
