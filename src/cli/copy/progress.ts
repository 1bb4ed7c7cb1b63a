import { type Output, printable } from "../output.ts";

/** Tells a person how far a copy has come; silent where nobody looks. */
export interface Progress {
  file(name: string): void;
  add(bytes: number): void;
  /** Takes the line away again. */
  end(): void;
}

export interface ProgressState {
  readonly name: string;
  readonly bytes: number;
  readonly total: number;
  readonly elapsedMs: number;
  /** Characters of a line. */
  readonly width: number;
}

const everyMs = 100;
const units = ["B", "kB", "MB", "GB", "TB"] as const;

/** In powers of a thousand: "0 B", "1.5 kB", "340 MB". */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}

/** One line, never longer than `width`; the name gives way to the numbers. */
export function progressLine({ name, bytes, total, elapsedMs, width }: ProgressState): string {
  const percent = total > 0 ? `  ${Math.min(100, Math.floor((bytes / total) * 100))}%` : "";
  const rate = elapsedMs > 0 ? `  ${bytesText((bytes / elapsedMs) * 1000)}/s` : "";
  const numbers = `${bytesText(bytes)} of ${bytesText(total)}${percent}${rate}`;
  const room = width - numbers.length - 3;
  if (room < 4) return numbers.slice(0, Math.max(0, width - 1));
  const shown = printable(name);
  return `${shown.length > room ? `…${shown.slice(1 - room)}` : shown}  ${numbers}`;
}

export function makeProgress(output: Output, now: () => number, total: number): Progress {
  if (!output.terminal.stderr) return { file: () => undefined, add: () => undefined, end: () => undefined };
  const startedAt = now();
  let name = "";
  let bytes = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const draw = (): void => {
    if (now() - drawnAt < everyMs) return;
    drawnAt = now();
    const line = progressLine({ name, bytes, total, elapsedMs: drawnAt - startedAt, width: output.width() });
    void output.raw("stderr", `\r\x1b[K${line}`);
  };
  return {
    file(next) {
      name = next;
      draw();
    },
    add(more) {
      bytes += more;
      draw();
    },
    end() {
      if (drawnAt > Number.NEGATIVE_INFINITY) void output.raw("stderr", "\r\x1b[K");
    },
  };
}
