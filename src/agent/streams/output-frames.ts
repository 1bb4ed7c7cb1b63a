import { StringDecoder } from "node:string_decoder";
import { toRfc3339 } from "#contracts/time.ts";
import type { AgentClock } from "../clock.ts";
import type { OutputListener } from "../exec/run.ts";
import type { AgentSocket } from "../socket.ts";
import { makeFrameBudget } from "./frame-budget.ts";
import { add, linesOf, noText, type Text } from "./text.ts";

/** Turns the output of a run into frames. */
export interface OutputFrames {
  readonly onOutput: OutputListener;
  /** Sends what is left: to be called when the run has ended. */
  end(): void;
}

type StreamName = Parameters<OutputListener>[0];

/** Programs write in blocks that end anywhere; the rest of the line follows in less. */
const holdMs = 15;
/** Characters of a line that are held back for its end. */
const longestPart = 4096;
/** Characters of lines that are held back to go out together. */
const longestHeld = 32 * 1024;

interface Held {
  readonly name: StreamName;
  readonly text: Text;
  readonly cancel: () => void;
}

/**
 * One frame per line; a line without end goes out all the same a moment later. Many lines go out as one frame when there are more than a
 * client can take in singly, or when it is behind already.
 */
export function makeOutputFrames(socket: Pick<AgentSocket, "send">, clock: AgentClock): OutputFrames {
  const decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  const budget = makeFrameBudget(clock);
  let held: Held | undefined;

  function send(type: StreamName, parts: readonly string[]): Promise<void> | undefined {
    const timestamp = toRfc3339(clock.now());
    for (const [index, data] of parts.entries()) {
      const behind = socket.send({ type, data, timestamp });
      if (behind === undefined) continue;
      const rest = parts.slice(index + 1).join("");
      return rest === "" ? behind : (socket.send({ type, data: rest, timestamp }) ?? behind);
    }
    return undefined;
  }

  function take(name: StreamName): Text {
    if (held?.name !== name) return noText;
    const { text, cancel } = held;
    held = undefined;
    cancel();
    return text;
  }

  function release(): void {
    if (held === undefined) return;
    const { name } = held;
    const { whole, lines, part } = take(name);
    const all = whole + part;
    void send(name, budget.take(lines) ? linesOf(all) : [all]);
  }

  function hold(name: StreamName, text: Text): void {
    const cancel = clock.after(holdMs, () => {
      // After what has come meanwhile: the time may have passed in our own work.
      setImmediate(() => {
        if (held === line) release();
      });
    });
    const line: Held = { name, text, cancel };
    held = line;
  }

  return {
    onOutput(name, chunk) {
      if (held?.name !== name) release();
      const text = add(take(name), decoders[name].write(chunk));
      const singly = text.lines > 0 && budget.take(text.lines);
      const behind = singly ? send(name, linesOf(text.whole)) : undefined;
      const { whole, lines, part } = singly ? { ...noText, part: text.part } : text;
      if (whole.length > longestHeld || part.length > longestPart) return send(name, [whole + part]) ?? behind;
      if (whole !== "" || part !== "") hold(name, { whole, lines, part });
      return behind;
    },
    end() {
      release();
      for (const name of ["stdout", "stderr"] as const) {
        const broken = decoders[name].end();
        if (broken !== "") void send(name, [broken]);
      }
    },
  };
}
