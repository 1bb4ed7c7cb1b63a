import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { makeSocketDocumentClient } from "#aws/clients.ts";
import { ensureTable, makeDynamoStores } from "#aws/stores.ts";
import { systemClock as clock } from "#core/system-clock.ts";
import { makeAuthority } from "#egress/certificates/authority.ts";
import { makeCertificates } from "#egress/certificates/certificates.ts";
import { makePublicOnlyPolicy } from "#egress/policy.ts";
import { makeEgressProxy } from "#egress/proxy.ts";
import { makeFileJournal } from "#egress/record/file-journal.ts";
import { makeRecorder } from "#egress/record/recorder.ts";
import { openDatabase } from "#local/database/database.ts";
import { noopLogger as logger } from "#telemetry/logger.ts";
import { aNetwork } from "#test/support/fixtures.ts";
import type { FromProxy, Setting, ToProxy } from "./messages.ts";

/** The proxy in a process of its own, with the journal and the database that one machine has; or the smallest CONNECT proxy there is. */
process.once("message", (setting: Setting) => {
  if (setting.kind === "plain") plain();
  else void ours(setting);
});
process.on("disconnect", () => process.exit());
const tell = (message: FromProxy) => process.send?.(message);

function plain(): void {
  const server = createServer();
  server.on("connect", (req, client) => {
    const [host = "", port] = (req.url ?? "").split(":");
    const there = connect(
      { host: host.endsWith(".test") ? "127.0.0.1" : host, port: Number(port), noDelay: true },
      () => {
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        client.pipe(there).pipe(client);
      },
    );
    client.on("error", () => there.destroy());
    there.on("error", () => client.destroy());
  });
  const path = join(mkdtempSync(join(tmpdir(), "bulkhead-bench-")), "plain.sock");
  server.listen(path, () => tell({ kind: "ready", path, caPem: "" }));
}

async function ours({ trusted, boundPort }: Extract<Setting, { kind: "ours" }>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "bulkhead-bench-"));
  const database = await openDatabase(join(directory, "database"), resolve("dist/dynalite-worker.mjs"));
  const client = makeSocketDocumentClient(database.socketPath);
  await ensureTable(client, "egress", clock);
  const store = makeDynamoStores({ client, table: "egress", clock, logger }).egress;
  const recorder = makeRecorder({
    journal: makeFileJournal({ path: join(directory, "egress.jsonl"), logger }),
    store,
    clock,
    logger,
  });
  const certificates = makeCertificates({ authority: await makeAuthority({ deployment: "bench", clock }), clock });
  const proxy = makeEgressProxy({
    resolver: { lookupAll: () => Promise.resolve(["127.0.0.1"]) },
    floor: makePublicOnlyPolicy({ hostAddresses: () => [], allowAddresses: ["127.0.0.1"] }),
    ...{ recorder, certificates, clock, logger },
    trusted: [trusted],
    secrets: { value: () => Promise.resolve("value-of-the-benchmark") },
    options: { maxConnections: 5_000 },
  });
  const identity = {
    ...{ sandboxId: "1800000000abcdefghij", projectId: "p1", network: aNetwork() },
    brokered: [
      {
        ...{ name: "TOKEN", placeholder: `bhsecret_${"a".repeat(32)}`, reference: "vendor" },
        ...{ hosts: [`api.test:${boundPort}`], use: "header Authorization: Bearer $" },
      },
    ],
  };
  const path = join(directory, "egress.sock");
  await proxy.listen(path, "i0123456789abcdef", () => identity);
  process.on("message", (asked: ToProxy) => {
    if (asked === "memory") {
      globalThis.gc?.();
      const { heapUsed, external } = process.memoryUsage();
      // The database is a thread of this process, and its pages are not the proxy's.
      tell({ kind: "memory", bytes: heapUsed + external });
    } else
      void recorder
        .flush(30_000)
        .then(() => count())
        .then((rows) => tell({ kind: "rows", rows }));
  });
  const count = async () => {
    let rows = 0;
    let cursor: string | null = null;
    const query = { limit: 1_000, sandboxId: null, host: null, decision: null, state: null, since: null, until: null };
    do {
      const page: Awaited<ReturnType<typeof store.list>> = await store.list("p1", { ...query, cursor });
      rows += page.items.length;
      cursor = page.nextCursor;
    } while (cursor !== null);
    return rows;
  };
  tell({ kind: "ready", path, caPem: certificates.caPem });
}
