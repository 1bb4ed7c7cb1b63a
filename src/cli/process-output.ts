import { once } from "node:events";
import { type Output, printable } from "./output.ts";

type Stream = Pick<NodeJS.WriteStream, "write" | "on" | "once" | "isTTY" | "columns" | "destroyed">;

const usualWidth = 80;

/** Standard output and error. What nobody reads any more is dropped: who must end then listens for errors of standard output. */
export function makeProcessOutput(stdout: Stream, stderr: Stream): Output {
  const streams = { stdout, stderr };
  for (const stream of [stdout, stderr]) stream.on("error", () => undefined);
  return {
    out: (text) => void stdout.write(`${text}\n`),
    // Messages quote what was asked for and what servers say.
    err: (text) => void stderr.write(`${text.split(/\r?\n/).map(printable).join("\n")}\n`),
    raw(name, text) {
      const stream = streams[name];
      if (stream.destroyed || stream.write(text)) return undefined;
      return once(stream as NodeJS.WriteStream, "drain").then(
        () => undefined,
        () => undefined,
      );
    },
    terminal: { stdout: stdout.isTTY, stderr: stderr.isTTY },
    width: () => stderr.columns || usualWidth,
  };
}
