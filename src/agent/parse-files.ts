import type { FileWriteRequest, MkdirRequest } from "#contracts/agent/files.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { booleanOf, type Fields, fieldsOf, invalid, required, textOf } from "./fields.ts";

const longestPath = 4096;

/** A path as sent; whether it lies inside the allowed roots is decided where it is opened. */
export function parseFilePath(value: unknown): string {
  const path = textOf(required({ path: value }, "path"), "path");
  const bad = (problem: string) =>
    new BulkheadError("INVALID_PATH", `path ${problem}.`, { details: { field: "path" } });
  if (path === "") throw bad("is empty");
  if (path.length > longestPath) throw bad(`is longer than ${longestPath} characters`);
  if (path.includes("\0")) throw bad("contains a NUL character");
  return path;
}

/** How JSON.stringify writes a Node Buffer; JavaScript callers pass one by accident. */
function contentOf(value: unknown): FileWriteRequest["content"] {
  if (typeof value === "string") return value;
  const problem = "must be a string";
  if (typeof value !== "object" || value === null || !("type" in value) || !("data" in value)) {
    throw invalid("content", problem);
  }
  const { type, data } = value;
  if (type !== "Buffer" || !Array.isArray(data)) throw invalid("content", problem);
  const bytes = data.map((byte: unknown) => {
    if (typeof byte !== "number" || !Number.isInteger(byte) || byte < 0 || byte > 255)
      throw invalid("content", problem);
    return byte;
  });
  return { type, data: bytes };
}

/** Octal text, never a number: 420 could be meant either way. Three or four digits without a prefix come out. */
function modeOf(value: unknown): string {
  const mode = value ?? "0644";
  if (typeof mode !== "string" || !/^(0o)?[0-7]{3,4}$/.test(mode))
    throw invalid("mode", 'must be octal text, such as "0644"');
  return mode.replace(/^0o/, "");
}

const encodings = ["base64", "utf-8", "utf8", "text"] as const;

function encodingOf(fields: Fields): Pick<FileWriteRequest, "encoding"> {
  const value = fields["encoding"];
  if (value === undefined) return {};
  if (value === null) return { encoding: null };
  const encoding = encodings.find((each) => each === value);
  if (encoding === undefined) throw invalid("encoding", `must be one of ${encodings.join(", ")}`);
  return { encoding };
}

export function parseFileWrite(body: unknown): FileWriteRequest {
  const fields = fieldsOf(body, "body");
  const overwrite = fields["overwrite"];
  return {
    path: parseFilePath(fields["path"]),
    content: contentOf(required(fields, "content")),
    mode: modeOf(fields["mode"]),
    overwrite: overwrite === undefined || overwrite === null ? true : booleanOf(overwrite, "overwrite"),
    ...encodingOf(fields),
  };
}

export function parseMkdir(body: unknown): MkdirRequest {
  const fields = fieldsOf(body, "body");
  return { path: parseFilePath(fields["path"]), mode: modeOf(fields["mode"]) };
}
