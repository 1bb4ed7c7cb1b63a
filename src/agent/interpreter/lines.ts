import { isFields } from "../fields.ts";

export interface Lines {
  push(chunk: Buffer): void;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Lines of JSON objects out of a byte stream. What is no such line is dropped: user code may write to the descriptor too.
 * @param onFlood called when a line grows longer than `longest` bytes
 */
export function makeLines(
  longest: number,
  onLine: (fields: Readonly<Record<string, unknown>>) => void,
  onFlood: () => void,
): Lines {
  let chunks: Buffer[] = [];
  let bytes = 0;
  return {
    push(chunk) {
      let rest = chunk;
      for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
        const value = parsed(Buffer.concat([...chunks, rest.subarray(0, at)]).toString("utf8"));
        chunks = [];
        bytes = 0;
        rest = rest.subarray(at + 1);
        if (isFields(value)) onLine(value);
      }
      if (rest.length === 0) return;
      chunks.push(rest);
      bytes += rest.length;
      if (bytes <= longest) return;
      chunks = [];
      bytes = 0;
      onFlood();
    },
  };
}
