import { Interrupted } from "../interrupts.ts";
import type { CliDeps } from "../program.ts";
import { type AuditFlags, eventLine, queryOf } from "./list.ts";

const everyMs = 1000;
/** 128 + SIGINT. */
const ctrlC = 130;
/** Reading the record is on record: what this command does itself is left out. */
const own = "audit.list";

/** Shows events as they come, until Ctrl-C. */
export async function tailEvents(flags: AuditFlags, deps: CliDeps): Promise<void> {
  const { output } = deps;
  const { audit } = deps.connect(flags);
  try {
    await deps.interrupts.during(async (signal) => {
      const newest = await audit.page({ limit: "1" }, signal);
      let last = flags.since === undefined ? (newest.data[0]?.seq ?? 0) : 0;
      const asked = queryOf(flags, deps.now());
      while (!signal.aborted) {
        // Newest first down to what was shown: the record may be long.
        const fresh = [];
        let cursor: string | null = null;
        do {
          const page: typeof newest = await audit.page(
            { ...asked, limit: "200", ...(cursor !== null && { cursor }) },
            signal,
          );
          fresh.push(...page.data.filter((event) => event.seq > last));
          cursor = (page.data.at(-1)?.seq ?? 0) > last ? page.next_cursor : null;
        } while (cursor !== null);
        last = Math.max(last, ...fresh.map((event) => event.seq));
        const lines = fresh
          .toReversed()
          .filter((event) => event.action !== own)
          .map((event) => (flags.json === true ? JSON.stringify(event) : eventLine(event)));
        if (lines.length > 0) await output.raw("stdout", `${lines.join("\n")}\n`);
        await deps.sleep(everyMs, signal);
      }
    });
  } catch (thrown) {
    // It is how one ends it.
    if (!(thrown instanceof Interrupted && thrown.exitCode === ctrlC)) throw thrown;
  }
}
