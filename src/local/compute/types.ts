import type { Clock, Compute, InstanceExit } from "#core/ports.ts";
import type { HostFacts } from "#local/probe/facts.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Bind } from "./bwrap-args.ts";
import type { ComputeLimits } from "./capacity.ts";

/** What a template adds to the base, made ready on this host. */
export interface PreparedTemplate {
  /** Read-only; `target` is a path inside that exists in the base or below /opt. */
  readonly binds: readonly Bind[];
  readonly env: Readonly<Record<string, string>>;
  readonly features: readonly string[];
}

export interface LocalComputeDeps {
  readonly host: HostFacts;
  /** From chooseRunDir. */
  readonly runDir: string;
  readonly dataDir: string;
  /** The agent's bundle (CommonJS). */
  readonly agentBundle: string;
  /** Directory src/agent/tools/python; null when there is none. */
  readonly pythonTools: string | null;
  readonly nodeBinary: string;
  /** Directory of the programs for the Node.js inside (scripts/build-tools.mjs). @default - none */
  readonly nodeTools?: string | undefined;
  /** Certificate of the egress proxy's authority, which programs inside trust. @default - it has none */
  readonly caPem?: string | undefined;
  /** null: no TypeScript in sandboxes. */
  readonly esbuildBinary: string | null;
  /** Native part of @lydell/node-pty; null: no terminals in sandboxes. */
  readonly ptyBinding: string | null;
  /** undefined: not (yet) prepared. */
  readonly templates: (name: string) => PreparedTemplate | undefined;
  /** Opens the egress proxy's socket of one instance at `socketPath`. */
  readonly openEgress: (instanceId: string, socketPath: string) => Promise<{ close(): Promise<void> }>;
  readonly allowUnenforced: boolean;
  readonly limits: ComputeLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a start found of a run that was killed. */
export interface Leftovers {
  readonly processes: number;
  readonly mounts: number;
  readonly cgroups: number;
  readonly directories: number;
  readonly images: number;
}

export interface LocalCompute extends Compute {
  /**
   * Removes what a killed run left (processes, mounts, images, cgroups, directories) and writes the base files. Call once before
   * the first launch, while no other platform uses the data directory.
   */
  start(): Promise<Leftovers>;
  /** Called for each instance that ended without `stop`. */
  onExit(listener: (exit: InstanceExit) => void): void;
  /** Refuses launches, stops every instance and removes everything that was made. */
  closeAll(): Promise<void>;
}
