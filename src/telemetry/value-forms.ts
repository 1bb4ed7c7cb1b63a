/**
 * The ways in which one of our own texts may hold a value: as it is, as a host name (lower case), percent-encoded, JSON-escaped, and
 * inside any base64.
 */
export function formsOf(value: string): readonly string[] {
  return [...new Set([value, value.toLowerCase(), ...percentForms(value), ...jsonForms(value), ...base64Forms(value)])];
}

function percentForms(value: string): readonly string[] {
  // A half of a surrogate pair goes out as U+FFFD.
  const plain = encodeURIComponent(Buffer.from(value).toString());
  const strict = plain.replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ v: value }).toString().slice(2);
  // As in a URL's path, which leaves more as it is.
  const path = encodeURI(Buffer.from(value).toString());
  return [plain, strict, form, path].flatMap((text) => [text, text.replaceAll(/%../g, (code) => code.toLowerCase())]);
}

/** As JSON.stringify writes it, and as writers do that know only ASCII. */
function jsonForms(value: string): readonly string[] {
  const plain = JSON.stringify(value).slice(1, -1);
  const ascii = plain.replaceAll(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return [plain, ascii];
}

/** What of the value's base64 is the same whatever stands before and after it, for each of the three positions it can start at. */
function base64Forms(value: string): readonly string[] {
  const bytes = Buffer.from(value);
  return [0, 1, 2].flatMap((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64url");
    const whole = Math.floor(((offset + bytes.length) * 8) / 6);
    const inner = text.slice(Math.ceil((offset * 8) / 6), whole);
    return [inner, inner.replaceAll("-", "+").replaceAll("_", "/")];
  });
}
