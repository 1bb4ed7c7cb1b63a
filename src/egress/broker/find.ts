import { placeholderPattern } from "#contracts/control/secrets.ts";
import type { HeaderPairs } from "../ports.ts";

const everyPlaceholder = new RegExp(placeholderPattern.source, "g");
const basicCredentials = /\bbasic\s+([\w+/-]+)/gi;
/** Text that is encoded more often than this reaches no server as a placeholder. */
const maxDecodings = 5;

/** Placeholders found anywhere in request line and headers; percent-decoded and Basic-decoded as well. */
export function placeholdersIn(target: string, headers: HeaderPairs): readonly string[] {
  const found = [...placeholdersOf(target)];
  for (const [name, value] of headers) found.push(...placeholdersOf(name.toLowerCase()), ...placeholdersOf(value));
  return [...new Set(found)];
}

/** Placeholders in one text, however it is written. */
export function placeholdersOf(text: string): readonly string[] {
  const found = new Set<string>();
  for (const view of decodings(text)) {
    addMatches(view, found);
    for (const [, encoded = ""] of view.matchAll(basicCredentials)) {
      for (const inner of decodings(fromBase64(encoded))) addMatches(inner, found);
    }
  }
  return [...found];
}

function addMatches(text: string, into: Set<string>): void {
  for (const [placeholder] of text.matchAll(everyPlaceholder)) into.add(placeholder);
}

/** The text itself and what it is when percent-decoded once, twice, … */
function decodings(text: string): readonly string[] {
  const views = [text];
  let view = text;
  for (let turn = 0; turn < maxDecodings; turn += 1) {
    const decoded = percentDecode(view);
    if (decoded === view) break;
    views.push(decoded);
    view = decoded;
  }
  return views;
}

/** Each `%XX` as that byte; what is no such sequence stays. */
export function percentDecode(text: string): string {
  if (!text.includes("%")) return text;
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Bytes as characters, so that nothing is lost on the way back. */
export function fromBase64(encoded: string): string {
  return Buffer.from(encoded, "base64").toString("latin1");
}
