import type { StreamFrame } from "#contracts/agent/stream.ts";
import type { Output } from "./output.ts";

/** Shows what a run sends: its output as it is, or with `asJson` every frame as one line. */
export function showFrame(frame: StreamFrame, output: Output, asJson: boolean): Promise<void> | undefined {
  if (asJson) {
    // What goes wrong is told once, by who catches it.
    if (frame.type === "error" || frame.type === "complete" || frame.type === "result") return undefined;
    return output.raw("stdout", `${JSON.stringify(frame)}\n`);
  }
  return frame.type === "stdout" || frame.type === "stderr" ? output.raw(frame.type, frame.data) : undefined;
}
