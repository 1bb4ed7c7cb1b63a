/** A program from PyPI. */
export interface PythonTool {
  readonly name: string;
  readonly version: string;
  /** What pip is asked for. */
  readonly packages: readonly string[];
  /** Path of a requirements file: versions of everything that comes with it, as they were tried together. */
  readonly tried: string;
}
/** @returns the Python of a virtual environment that has it. @throws Error that says what is missing and how to get it */
export function ensurePythonTool(tool: PythonTool, say?: (line: string) => void): Promise<string>;
/** What the command line prints. */
export function printPythonTool(tool: PythonTool): Promise<void>;
