import type { AsyncRequest, BackgroundCommandRequest, BackgroundRequest } from "#contracts/agent/background.ts";
import { maxBackgroundSeconds } from "#contracts/agent/languages.ts";
import { type Fields, fieldsOf, invalid, required, textOf } from "../fields.ts";
import { parseCommand, parseExecute, timeoutOf } from "../parse.ts";

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
const headerValue = /^[\t\x20-\x7e]{0,4096}$/;
const mostHeaders = 50;

/** Absent and null mean none. */
function shortText(fields: Fields, field: string, longest: number): string {
  const text = textOf(fields[field] ?? "", field);
  if (text.length > longest) throw invalid(field, `is longer than ${longest} characters`);
  return text;
}

function longTimeout(fields: Fields, byDefault: number): { timeout: number } {
  return { timeout: timeoutOf(fields, byDefault, maxBackgroundSeconds) };
}

export function parseBackground(body: unknown): BackgroundRequest {
  const fields = fieldsOf(body, "body");
  return { ...parseExecute(fields), ...longTimeout(fields, 300), name: shortText(fields, "name", 200) };
}

export function parseBackgroundCommand(body: unknown): BackgroundCommandRequest {
  const fields = fieldsOf(body, "body");
  return { ...parseCommand(fields), ...longTimeout(fields, 0), name: shortText(fields, "name", 200) };
}

/** Problems name the header, never its value: it may be a credential. */
function headersOf(value: unknown): Record<string, string> {
  const headers: Record<string, string> = {};
  const given = Object.entries(fieldsOf(value, "callback_headers"));
  if (given.length > mostHeaders) throw invalid("callback_headers", `has more than ${mostHeaders} entries`);
  for (const [name, text] of given) {
    if (!headerName.test(name)) throw invalid("callback_headers", "holds something that is no name of a header");
    const place = `callback_headers.${name}`;
    if (!headerValue.test(textOf(text, place))) throw invalid(place, "holds a character that no header may hold");
    headers[name] = textOf(text, place);
  }
  return headers;
}

export function parseAsync(body: unknown): AsyncRequest {
  const fields = fieldsOf(body, "body");
  const url = textOf(required(fields, "callback_url"), "callback_url");
  if (url === "") throw invalid("callback_url", "is empty");
  return {
    ...parseExecute(fields),
    ...longTimeout(fields, 1800),
    callback_url: shortText({ callback_url: url }, "callback_url", 2048),
    callback_headers: headersOf(fields["callback_headers"] ?? {}),
    callback_signature_secret: shortText(fields, "callback_signature_secret", 1024),
  };
}
