import type { InstanceExit } from "#core/ports.ts";
import type { RunningInstance } from "./instance.ts";
import type { LocalComputeDeps } from "./types.ts";
import type { Parts, Prepared } from "./workshop.ts";

export interface Ending {
  readonly keepDisk: boolean;
  readonly done: Promise<void>;
}

export interface Entry {
  readonly started: Promise<RunningInstance>;
  running: RunningInstance | null;
  /** Set once its end has begun. */
  ending: Ending | null;
}

export interface State {
  readonly deps: LocalComputeDeps;
  readonly parts: Parts;
  readonly entries: Map<string, Entry>;
  readonly listeners: ((exit: InstanceExit) => void)[];
  /** null before the first use, and again after it failed. */
  preparing: Promise<Prepared> | null;
  closed: boolean;
}
