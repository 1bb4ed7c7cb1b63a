import { createHash } from "node:crypto";

/** What is said of a run: by default its size and SHA-256, so that it can be compared with a text and not be read from the record. */
export interface Executed {
  /** Lower-case hex, of the code or command as UTF-8; of the whole body where none could be found in it. */
  readonly sha256: string;
  readonly bytes: number;
  readonly language?: string;
  /** Cut to `maxContent`; only where the deployment asks for it. */
  readonly content?: string;
}

/** Bodies are read as far as this to find the code in them. */
export const maxBody = 1024 * 1024;
/** Of a text that is kept. */
const maxContent = 4096;

/** @param body the request's JSON as it went by; `complete` is false where it was longer than {@link maxBody} */
export function executedOf(body: Buffer, complete: boolean, withContent: boolean): Executed {
  const asked = complete ? asJson(body) : undefined;
  const text = [asked?.["code"], asked?.["command"], asked?.["cmd"]].find((value) => typeof value === "string");
  const run = text === undefined ? body : Buffer.from(`${text}${argumentsOf(asked)}`);
  const language = asked?.["language"];
  return {
    sha256: createHash("sha256").update(run).digest("hex"),
    bytes: run.length,
    ...(typeof language === "string" && { language: language.slice(0, 32) }),
    ...(withContent && text !== undefined && { content: run.toString("utf8").slice(0, maxContent) }),
  };
}

function argumentsOf(asked: Readonly<Record<string, unknown>> | undefined): string {
  const list = asked?.["args"];
  return Array.isArray(list) ? list.map((value) => ` ${String(value)}`).join("") : "";
}

function asJson(body: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what goes by, as far as it is needed. */
export interface BodyWatch {
  readonly see: (chunk: Uint8Array) => void;
  executed(withContent: boolean): Executed | undefined;
}

export function makeBodyWatch(): BodyWatch {
  const chunks: Uint8Array[] = [];
  let kept = 0;
  let complete = true;
  return {
    see(chunk) {
      if (kept + chunk.length > maxBody) complete = false;
      const room = maxBody - kept;
      if (room <= 0) return;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      chunks.push(part);
      kept += part.length;
    },
    executed: (withContent) => (kept === 0 ? undefined : executedOf(Buffer.concat(chunks), complete, withContent)),
  };
}
