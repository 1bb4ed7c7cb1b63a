import { isUtf8 } from "node:buffer";
import { BulkheadError } from "#contracts/errors.ts";
import { type Fields, isFields } from "../fields.ts";

/** Bytes of one frame of a caller; far above any sensible program or keystroke. */
export const maxFrameBytes = 1024 * 1024;

export type Incoming =
  | { readonly kind: "fields"; readonly fields: Fields }
  /** What the caller is told, and the code the connection ends with (RFC 6455 §7.4.1). */
  | { readonly kind: "refused"; readonly error: BulkheadError; readonly closeCode: 1003 | 1007 | 1009 };

function refused(closeCode: 1003 | 1007 | 1009, error: BulkheadError): Incoming {
  return { kind: "refused", closeCode, error };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads one frame of a caller. */
export function readIncoming(data: Buffer, isBinary: boolean): Incoming {
  if (isBinary) {
    return refused(1003, new BulkheadError("INVALID_REQUEST", "Binary frames are not read here. Send JSON as text."));
  }
  if (data.length > maxFrameBytes) {
    const message = `A frame takes at most ${maxFrameBytes} bytes. Put large content into a file with POST /files/upload.`;
    return refused(1009, new BulkheadError("PAYLOAD_TOO_LARGE", message));
  }
  if (!isUtf8(data)) return refused(1007, new BulkheadError("INVALID_JSON", "The frame is not valid UTF-8."));
  const value = parsed(data.toString("utf8"));
  if (value === undefined) return refused(1007, new BulkheadError("INVALID_JSON", "The frame is not valid JSON."));
  if (!isFields(value)) return refused(1007, new BulkheadError("INVALID_REQUEST", "The frame must be a JSON object."));
  return { kind: "fields", fields: value };
}
