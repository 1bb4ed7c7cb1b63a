import { BulkheadError } from "#contracts/errors.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { Instances } from "./instances.ts";
import type { InstanceRecord, TemplateRecord } from "./model.ts";
import type { Clock, InstanceStore, TemplateStore } from "./ports.ts";

/** Refilling waits until no create was in flight for this long, so that starting instances never slows one down … */
const quietMs = 150;
/** … but no longer than this. */
const patienceMs = 2_000;
const retryMs = 5_000;
/** A full host, or one that cannot enforce a limit: nothing is broken. */
const expectedProblems: ReadonlySet<string> = new Set(["CAPACITY_EXHAUSTED", "SERVICE_UNAVAILABLE", "HOST_UNSUITABLE"]);

export interface PoolDeps {
  readonly store: InstanceStore;
  readonly templates: TemplateStore;
  readonly instances: Instances;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Warm instances to hold, by template name. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly refillConcurrency: number;
}

export interface WarmPool {
  /** A warm instance that now belongs to `sandboxId` for ever, or null when there is none. */
  claim(templateName: string, sandboxId: string): Promise<InstanceRecord | null>;
  /** Instances of a template that are being started now. */
  starting(templateName: string): number;
  /** Marks a create as in flight until the returned function is called. */
  busy(): () => void;
  /** Starts what is missing, in the background. */
  refill(): void;
  /** Resolves when nothing is being started any more; nothing is started after. */
  close(): Promise<void>;
}

export function makeWarmPool(deps: PoolDeps): WarmPool {
  const { store, clock, logger } = deps;
  const candidates = new Map<string, string[]>();
  /** Ids that were taken from the list once: an index may still show them. */
  const taken = new Set<string>();
  const starting = new Map<string, number>();
  const listings = new Map<string, Promise<void>>();
  const problems = new Map<string, string>();
  let inFlight = 0;
  let lastBusyAt = Number.NEGATIVE_INFINITY;
  const closing = new AbortController();
  const isClosed = () => closing.signal.aborted;
  let filling: Promise<void> | null = null;
  let again = false;
  const isAgain = () => again;

  async function listCandidates(templateName: string): Promise<void> {
    const ids = await store.listWarm(templateName, 200);
    if (taken.size > 10_000) taken.clear();
    candidates.set(
      templateName,
      ids.filter((id) => !taken.has(id)),
    );
  }

  /** Callers that find nothing at the same moment share one query. */
  function listOnce(templateName: string): Promise<void> {
    const running = listings.get(templateName);
    if (running !== undefined) return running;
    const listing = listCandidates(templateName).finally(() => listings.delete(templateName));
    listings.set(templateName, listing);
    return listing;
  }

  function nextCandidate(templateName: string): string | undefined {
    const id = candidates.get(templateName)?.shift();
    if (id !== undefined) taken.add(id);
    return id;
  }

  async function tryClaim(templateName: string, id: string, sandboxId: string): Promise<InstanceRecord | null> {
    try {
      return await store.claim(id, sandboxId);
    } catch (thrown) {
      // Nobody knows whether it is claimed: the next caller finds out.
      taken.delete(id);
      candidates.set(templateName, [id, ...(candidates.get(templateName) ?? [])]);
      throw thrown;
    }
  }

  async function waitForQuiet(): Promise<void> {
    const giveUpAt = clock.now() + patienceMs;
    while (!isClosed() && clock.now() < giveUpAt && (inFlight > 0 || clock.now() - lastBusyAt < quietMs)) {
      await clock.sleep(25);
    }
  }

  async function startOne(template: TemplateRecord): Promise<void> {
    const { name } = template;
    starting.set(name, (starting.get(name) ?? 0) + 1);
    try {
      const instance = await deps.instances.start(template, null);
      candidates.set(name, [...(candidates.get(name) ?? []), instance.id]);
    } finally {
      starting.set(name, (starting.get(name) ?? 0) - 1);
    }
  }

  async function fillTemplate(name: string, size: number): Promise<void> {
    const template = await deps.templates.get(name);
    if (template?.status !== "active") return;
    // More than asked for: an index that lags still shows some that were taken.
    const warm = await store.listWarm(name, size * 2);
    let missing = size - warm.filter((id) => !taken.has(id)).length;
    const worker = async () => {
      while (missing > 0 && !isClosed()) {
        missing -= 1;
        await waitForQuiet();
        if (isClosed()) return;
        await startOne(template);
      }
    };
    // Each worker is waited for, also when another failed: `close` promises that nothing is being started any more.
    const done = await Promise.allSettled(Array.from({ length: deps.refillConcurrency }, worker));
    for (const one of done) if (one.status === "rejected") throw one.reason;
  }

  /** What keeps a pool from being full is said when it changes, not at each attempt. */
  function report(name: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const expected = error instanceof BulkheadError && expectedProblems.has(error.code);
    const level = problems.get(name) === message ? "debug" : expected ? "warn" : "error";
    problems.set(name, message);
    logger[level]("warm pool not full", { template: name, error });
  }

  async function fillAll(): Promise<void> {
    do {
      await waitForQuiet();
      again = false;
      for (const [name, size] of Object.entries(deps.sizes)) {
        try {
          await fillTemplate(name, size);
          problems.delete(name);
        } catch (error) {
          // Instances that were being started end with the platform.
          if (isClosed()) return;
          report(name, error);
          clock.after(retryMs, refill);
        }
      }
    } while (isAgain() && !isClosed());
  }

  function refill(): void {
    if (isClosed() || Object.keys(deps.sizes).length === 0) return;
    again = true;
    filling ??= fillAll().finally(() => {
      filling = null;
    });
  }

  return {
    async claim(templateName, sandboxId) {
      if ((candidates.get(templateName)?.length ?? 0) === 0) await listOnce(templateName);
      for (let id = nextCandidate(templateName); id !== undefined; id = nextCandidate(templateName)) {
        const claimed = await tryClaim(templateName, id, sandboxId);
        if (claimed !== null) return claimed;
      }
      return null;
    },
    starting: (templateName) => starting.get(templateName) ?? 0,
    busy() {
      inFlight += 1;
      return () => {
        inFlight -= 1;
        lastBusyAt = clock.now();
        refill();
      };
    },
    refill,
    async close() {
      closing.abort();
      await filling;
    },
  };
}
