import type { TemplateRecord } from "#core/model.ts";
import type { Clock, TemplateStore } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import type { PreparedTemplate } from "./compute/types.ts";
import type { Progress } from "./progress.ts";
import { localTemplates } from "./templates/built-in.ts";
import { prepareTemplate } from "./templates/prepare.ts";

export interface TemplateShelf {
  /** What compute mounts for a template; undefined until it is ready. */
  prepared(name: string): PreparedTemplate | undefined;
  /** Writes the built-in templates and prepares them: `base` at once, `code-interpreter` in the background. */
  open(options: { readonly codeInterpreter: boolean; readonly onReady: () => void }): Promise<void>;
  /** Gives up what is still being prepared. */
  close(): Promise<void>;
}

export interface ShelfDeps {
  readonly store: TemplateStore;
  readonly home: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
}

export function makeTemplateShelf(deps: ShelfDeps): TemplateShelf {
  const { store, home, clock, logger, progress } = deps;
  const ready = new Map<string, PreparedTemplate>();
  const giveUp = new AbortController();
  let preparing: Promise<void> = Promise.resolve();

  const write = (record: TemplateRecord, status: TemplateRecord["status"], problem: string | null = null) =>
    store.put({ ...record, status, problem, updatedAt: clock.now() });

  async function prepare(record: TemplateRecord, onReady: () => void): Promise<void> {
    try {
      const onProgress = (text: string) => progress.step(`${record.name}: ${text}`);
      ready.set(record.name, await prepareTemplate(record.name, { home, logger, onProgress, signal: giveUp.signal }));
      await write(record, "active");
      onReady();
    } catch (error) {
      if (giveUp.signal.aborted) return;
      const problem = error instanceof Error ? error.message : String(error);
      logger.error("template could not be prepared", { template: record.name, error });
      progress.warn(`template ${record.name} cannot be used: ${problem}`);
      await write(record, "failed", `Template ${record.name} could not be prepared on this host: ${problem}`);
    }
  }

  return {
    prepared: (name) => ready.get(name),
    async open({ codeInterpreter, onReady }) {
      for (const record of localTemplates(clock.now())) {
        if (record.name === "code-interpreter" && !codeInterpreter) {
          await write(
            record,
            "failed",
            "This platform was started without code-interpreter. Start it without --no-code-interpreter.",
          );
          continue;
        }
        await write(record, "building");
        const work = prepare(record, onReady);
        if (record.name === "base") await work;
        else preparing = work.then(() => progress.done(`template ${record.name} is ready`));
      }
    },
    async close() {
      giveUp.abort();
      await preparing;
    },
  };
}
