/** Shorter values stand in too many texts by chance. */
const shortest = 6;

/**
 * The ways in which a server writes a value that it was sent: as it is, percent-encoded, JSON-escaped, and inside any base64 (as Basic
 * authentication carries it). Each as bytes in latin1. None for a value of less than six characters.
 */
export function formsOf(value: string): readonly string[] {
  if (value.length < shortest) return [];
  const texts = [value, ...percentForms(value), ...jsonForms(value)];
  const bytes = Buffer.from(value);
  const forms = [...texts.map((text) => Buffer.from(text).toString("latin1")), ...base64Forms(bytes)];
  // A server that reads headers as latin1 sends back what it read.
  if (/^[\0-\xff]*$/.test(value)) forms.push(value);
  return [...new Set(forms)];
}

function percentForms(value: string): readonly string[] {
  // A half of a surrogate pair goes out as U+FFFD.
  const plain = encodeURIComponent(Buffer.from(value).toString());
  const strict = plain.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  const upper = [plain, strict, form, strict.replaceAll("%20", "+")];
  return upper.flatMap((text) => [text, text.replaceAll(/%../g, (code) => code.toLowerCase())]);
}

/** JSON as common writers put it: with `\/`, with the characters that matter to HTML as `\u003c`, with all but ASCII as `\u00fc`. */
function jsonForms(value: string): readonly string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  const escaped = [
    /[\u0080-\uffff]/g,
    /[<>&\u0080-\uffff]/g,
    /[<>&='\u0080-\uffff]/g,
    /[<>&='+\u0080-\uffff]/g,
  ].flatMap((chars) => [
    plain.replaceAll(chars, (char) => unicodeEscape(char)),
    plain.replaceAll(chars, (char) => unicodeEscape(char).toUpperCase().replace("U", "u")),
  ]);
  return [plain, ...escaped].flatMap((text) => [text, text.replaceAll("/", "\\/")]);
}

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** What of the value's base64 is the same whatever stands before and after it, for each of the three positions it can start at. */
function base64Forms(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64url");
    const whole = Math.floor(((offset + bytes.length) * 8) / 6);
    const inner = text.slice(Math.ceil((offset * 8) / 6), whole);
    return [inner, inner.replaceAll("-", "+").replaceAll("_", "/")];
  });
}
