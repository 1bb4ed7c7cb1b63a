import { Transform, type TransformCallback } from "node:stream";
import { placeholderLength, placeholderPrefix } from "#contracts/control/secrets.ts";
import { percentDecode } from "./find.ts";

/** A body carried a placeholder: values are put into headers and queries only, and no other host is to see one. */
export class PlaceholderInBody extends Error {
  override readonly name = "PlaceholderInBody";
  readonly placeholder: string;

  constructor(placeholder: string) {
    super("the body of the request carries the placeholder of a secret");
    this.placeholder = placeholder;
  }
}

/** How often a `%` itself may be encoded: `%62`, `%2562`, `%252562`. */
const maxNesting = 3;
const longestCharacter = 3 + 2 * maxNesting;
const carried = placeholderLength * longestCharacter - 1;

const escaped = (codes: string) => `%(?:25){0,${maxNesting}}(?:${codes})`;
const hexOf = (char: string) =>
  char
    .charCodeAt(0)
    .toString(16)
    .replace(/[a-f]/, (digit) => `[${digit}${digit.toUpperCase()}]`);
const prefix = Array.from(placeholderPrefix, (char) => `(?:${char}|${escaped(hexOf(char))})`).join("");
const rest = `(?:[a-z2-7]|${escaped("6[1-9a-fA-F]|7[0-9aA]|3[2-7]")}){${placeholderLength - placeholderPrefix.length}}`;
/** A placeholder with any of its characters percent-encoded. */
const written = new RegExp(prefix + rest);

/**
 * Passes bytes on as they come and fails with `PlaceholderInBody` instead of passing the chunk that completes a placeholder. Holds nothing
 * back: what began a placeholder in an earlier chunk is out, which alone means nothing to anybody.
 */
export function makeBodyWatch(): Transform {
  let before = "";
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const text = before + chunk.toString("latin1");
      const match = written.exec(text);
      if (match !== null) {
        done(new PlaceholderInBody(plain(match[0])));
        return;
      }
      before = text.slice(-carried);
      done(null, chunk);
    },
  });
}

/** The placeholder in a body that is here as a whole; null when there is none. */
export function placeholderInBytes(body: Buffer): string | null {
  const match = written.exec(body.toString("latin1"));
  return match === null ? null : plain(match[0]);
}

function plain(found: string): string {
  let text = found;
  while (text.includes("%")) text = percentDecode(text);
  return text;
}
