import { constants } from "node:os";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { CliError, exitCodes } from "../failure.ts";
import { Interrupted } from "../interrupts.ts";
import { decodeText } from "./value.ts";

/** Lines of one paste come at once; whoever types takes longer. */
const pasteMs = 50;

export interface AskedAt {
  readonly stdin: NodeJS.ReadStream;
  readonly stderr: Pick<NodeJS.WriteStream, "write">;
}

/** All of standard input where it is no terminal; else one line, asked for on standard error and not shown. */
export async function readSecret({ stdin, stderr }: AskedAt, prompt: string): Promise<string> {
  if (!stdin.isTTY) return decodeText(await buffer(stdin));
  stderr.write(prompt);
  try {
    return await hiddenLine(stdin);
  } finally {
    stderr.write("\n");
  }
}

/** @throws CliError for several lines: only the first of a pasted key would be kept, and nobody would see that. */
async function hiddenLine(input: NodeJS.ReadStream): Promise<string> {
  // The line editor echoes what is typed to its output; this one takes nothing.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input, output, terminal: true, historySize: 0 });
  const lines: string[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      editor.on("SIGINT", () => reject(new Interrupted(128 + constants.signals.SIGINT)));
      editor.on("close", resolve);
      editor.on("line", (line) => {
        if (lines.push(line) === 1) setTimeout(resolve, pasteMs);
      });
    });
  } finally {
    editor.close();
  }
  if (lines.length <= 1) return lines[0] ?? "";
  throw new CliError("The value has several lines: give it with --file, or on standard input.", exitCodes.usage);
}
