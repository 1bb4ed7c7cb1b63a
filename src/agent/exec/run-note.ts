/** What a run is told of its own end; empty when it ended by itself. */
export function noteOf(stopped: "timeout" | "abort" | undefined, timeoutMs: number, killed: boolean): string {
  if (stopped === "timeout") return `Execution timed out after ${timeoutMs / 1000} s and was killed.\n`;
  if (stopped === "abort") return "Execution was cancelled.\n";
  return killed ? "Killed by SIGKILL: the memory limit of the sandbox may have been reached.\n" : "";
}
