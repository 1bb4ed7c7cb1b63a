import type { ChainedEvent, Checkpoint, Written } from "../ports.ts";
import type { ChainHead } from "./link.ts";

export interface SegmentWalk {
  readonly order: "newest" | "oldest";
  /** Where to begin: newest: at or below it; oldest: at or above it. null: at the end it begins with. */
  readonly from: number | null;
}

/** Where chains are kept, in segments of events that follow each other. Nothing in it is ever replaced. */
export interface ChainStore {
  /** Where a project's chain stands. */
  head(projectId: string): Promise<ChainHead>;
  /** Adds what continues the head; `lost` when the head is another by now. At most {@link maxSegment} at once. */
  extend(projectId: string, records: readonly ChainedEvent[]): Promise<Written>;
  /** Segments in order; within each, records are oldest first whatever the order. */
  segments(projectId: string, walk: SegmentWalk): AsyncIterable<readonly ChainedEvent[]>;
  addCheckpoint(checkpoint: Checkpoint): Promise<void>;
  /** Oldest first. */
  checkpoints(projectId: string): Promise<readonly Checkpoint[]>;
  /** Projects that have a chain. */
  projects(): Promise<readonly string[]>;
}

/** Events in one segment. */
export const maxSegment = 500;
