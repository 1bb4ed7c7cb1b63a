import type { Readable } from "node:stream";

const longestLine = 2_000;

/** Calls `write` for each line of untrusted output, cut to a length; at most `perSecond` lines a second, the rest is counted. */
export function logLines(stream: Readable, write: (line: string) => void, perSecond = 50): void {
  let rest = "";
  let dropped = 0;
  let windowEnds = 0;
  let inWindow = 0;
  const emit = (line: string): void => {
    const now = performance.now();
    if (now > windowEnds) {
      if (dropped > 0) write(`(${dropped} lines dropped)`);
      [windowEnds, inWindow, dropped] = [now + 1000, 0, 0];
    }
    inWindow += 1;
    if (inWindow > perSecond) dropped += 1;
    else write(line);
  };
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(0, longestLine);
    for (const line of lines) if (line !== "") emit(line.slice(0, longestLine));
  });
  stream.on("end", () => {
    if (rest !== "") emit(rest);
  });
  stream.on("error", () => {});
}
