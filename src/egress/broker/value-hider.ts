import { Transform } from "node:stream";
import { formsOf } from "./value-forms.ts";

export interface ValueHider {
  /** For one body without content encoding. Its length changes where something was hidden. */
  body(): Transform;
  /** For bytes that must keep their length, such as those of a WebSocket: fails with `ValueInAnswer` instead of passing a value. */
  guard(): Transform;
  /** For the value of one header, as Node reads it: bytes as characters. */
  text(value: string): string;
}

/** A server sent a used value where nothing can stand in its place. */
export class ValueInAnswer extends Error {
  override readonly name = "ValueInAnswer";

  constructor() {
    super("the server sent back the value of a secret");
  }
}

/** What stands in the place of a form that was found; it may throw. */
type Place = (form: string) => string;

/**
 * Writes the placeholder wherever a used value would come back to the sandbox: as it is, percent-encoded, JSON-escaped or in base64, across
 * chunk borders too. Holds back only the end of a chunk that could be the start of such a value. Values of less than six characters are
 * not hidden, and nothing helps against a server that sends a value back in a form of its own.
 */
export function makeValueHider(used: readonly { readonly value: string; readonly placeholder: string }[]): ValueHider {
  const placeholders = new Map<string, string>();
  for (const { value, placeholder } of used) {
    for (const form of formsOf(value)) if (!placeholders.has(form)) placeholders.set(form, placeholder);
  }
  const forms = [...placeholders.keys()];
  const hide: Place = (form) => placeholders.get(form) ?? "";
  const fail: Place = () => {
    throw new ValueInAnswer();
  };
  const pattern = patternOf(forms);
  return {
    body: () => makeStream(pattern, forms, hide),
    guard: () => makeStream(pattern, forms, fail),
    text: (value) => value.replaceAll(pattern, hide),
  };
}

/** The first of two alternatives that fit is taken, so the longest stands first. */
function patternOf(forms: readonly string[]): RegExp {
  if (forms.length === 0) return /(?!)/g;
  const longestFirst = [...forms].sort((one, other) => other.length - one.length);
  return new RegExp(longestFirst.map((form) => form.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("|"), "g");
}

function makeStream(pattern: RegExp, forms: readonly string[], place: Place): Transform {
  let open = "";
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        const text = open + chunk.toString("latin1");
        const settled = settle(text, pattern, forms, place);
        const untouched = open === "" && settled.hidden === text;
        open = settled.open;
        done(null, untouched ? chunk : Buffer.from(settled.hidden, "latin1"));
      } catch (error) {
        done(error instanceof Error ? error : new ValueInAnswer());
      }
    },
    flush(done) {
      try {
        done(null, Buffer.from(open.replaceAll(pattern, place), "latin1"));
      } catch (error) {
        done(error instanceof Error ? error : new ValueInAnswer());
      }
    },
  });
}

/** Hides what stands in a text whose end is not known yet. `open` is the part that more text could turn into a form. */
function settle(text: string, pattern: RegExp, forms: readonly string[], place: Place) {
  let openAt = startOfOpenEnd(text, forms);
  let hidden = "";
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index >= openAt) break;
    hidden += text.slice(from, match.index) + place(match[0]);
    from = match.index + match[0].length;
  }
  // What was hidden begins nothing.
  if (from > openAt) openAt = from + startOfOpenEnd(text.slice(from), forms);
  return { hidden: hidden + text.slice(from, openAt), open: text.slice(openAt) };
}

/** Where the longest end of the text begins that is the start, and not the whole, of a form. */
function startOfOpenEnd(text: string, forms: readonly string[]): number {
  const last = text.at(-1);
  let longest = 0;
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, text.length); length > longest; length -= 1) {
      if (form[length - 1] === last && text.endsWith(form.slice(0, length))) longest = length;
    }
  }
  return text.length - longest;
}
