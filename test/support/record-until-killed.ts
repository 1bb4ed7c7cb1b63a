import { makeFileJournal } from "#egress/record/file-journal.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { anEgressRow } from "./fixtures.ts";

/** A process that records connections into the journal named by its argument, tells each one's number, and never ends. */
const [path = ""] = process.argv.slice(2);
const journal = makeFileJournal({ path, logger: noopLogger });
let count = 0;

function next(): void {
  for (let index = 0; index < 50; index += 1) {
    count += 1;
    const id = `c${count}`;
    journal.write(anEgressRow({ id, state: "open", endedAt: null }));
    if (count % 10 !== 0) journal.write(anEgressRow({ id }));
  }
  process.stdout.write(`${count}\n`);
  setTimeout(next, 1);
}
next();
