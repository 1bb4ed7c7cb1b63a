import { StringDecoder } from "node:string_decoder";
import { setTimeout as pause } from "node:timers/promises";
import type { AgentClock } from "../clock.ts";
import { errorFrame } from "../error-frame.ts";
import type { AgentSocket } from "../socket.ts";
import { parseTerminalFrame } from "./parse.ts";
import type { Shell } from "./shell.ts";

/** The end of a program may be heard of after that of its output. */
const lingerMs = 500;

export interface SessionOptions {
  readonly socket: AgentSocket;
  readonly shell: Shell;
  readonly clock: AgentClock;
  /** Request id. */
  readonly id: string;
}

/** Passes output on as fast as the caller reads it. Resolves after the last of it. */
function passOutput({ socket, shell }: SessionOptions): Promise<void> {
  const { output } = shell;
  const decoder = new StringDecoder("utf8");
  const send = (data: string) => (data === "" ? undefined : socket.send({ type: "output", data }));
  output.on("data", (chunk: Buffer) => {
    const wait = send(decoder.write(chunk));
    if (wait === undefined) return;
    output.pause();
    void wait.finally(() => output.resume());
  });
  return new Promise((resolve) => {
    output.once("close", () => {
      void send(decoder.end());
      resolve();
    });
  });
}

/** A program that does not read its input holds the caller back, once the pipes on the way are full. */
function passInput({ socket, shell, clock, id }: SessionOptions): void {
  const { input } = shell;
  input.on("drain", () => socket.resume());
  input.on("close", () => socket.resume());
  socket.onFrame((fields) => {
    try {
      const frame = parseTerminalFrame(fields);
      if (frame.type === "resize") shell.resize(frame);
      else if (input.writable && !input.write(frame.data)) socket.pause();
    } catch (error) {
      void socket.send(errorFrame(error, id, clock));
    }
  });
}

/** Connects a caller and a program until one of them ends. Nothing of the program is left when the caller went first. */
export async function runSession(options: SessionOptions): Promise<void> {
  const { socket, shell } = options;
  const gone = new Promise<"gone">((resolve) => {
    if (socket.closed.aborted) resolve("gone");
    else socket.closed.addEventListener("abort", () => resolve("gone"), { once: true });
  });
  passInput(options);
  const outputEnded = passOutput(options);
  // Output that ends long before the program: it has closed its terminal, or somebody has killed the relay.
  const cutOff = outputEnded.then(() => Promise.race([shell.exited, pause(lingerMs, undefined, { ref: false })]));
  const first = await Promise.race([gone, shell.exited, cutOff]);
  if (typeof first !== "number") void shell.end(true);
  const code = await shell.exited;
  if ((await Promise.race([gone, outputEnded])) !== "gone") {
    void socket.send({ type: "exit", code });
    socket.close();
  }
  await shell.end(false);
}
