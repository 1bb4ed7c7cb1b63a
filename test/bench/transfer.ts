import { fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Sandbox } from "@hopx-ai/sdk";
import { z } from "zod";
import { startPlatform } from "#test/e2e/support/platform.ts";
import { createAndRun, rawTransfer } from "./client.ts";
import type { Row } from "./report.ts";
import { summarize, timed } from "./statistics.ts";

const mebibytes = 100;
const path = "/workspace/transfer.bin";

/** 100 MiB both ways through the gateway: with the real client, and with plain node:http as the client's own cost is not ours. */
export async function transfers(n: number): Promise<Row[]> {
  const platform = await startPlatform();
  const directory = await mkdtemp(join(tmpdir(), "bulkhead-bench-"));
  try {
    const sandbox = await createAndRun({ baseURL: platform.url, apiKey: platform.apiKey });
    const bytes = randomBytes(mebibytes << 20);
    const local = join(directory, "transfer.bin");
    await writeFile(local, bytes);
    const raw = await rawTransfer(sandbox, path);
    const rows = [
      ...(await clientFloor(n, local)),
      rate("upload 100 MiB, real client", await timed(n, () => sandbox.files.upload(local, path))),
      rate("download 100 MiB, real client", await timed(n, () => sandbox.files.download(path))),
      rate("upload 100 MiB, raw HTTP", await timed(n, () => raw.upload(bytes))),
      rate("download 100 MiB, raw HTTP", await timed(n, () => raw.download())),
    ];
    const { stdout } = await sandbox.commands.run(`sha256sum ${path} | cut -c1-64`);
    if (stdout.trim() !== createHash("sha256").update(bytes).digest("hex"))
      throw new Error("the bytes changed on the way");
    return rows;
  } finally {
    await rm(directory, { recursive: true, force: true });
    await platform.stop();
  }
}

/** The real client against a server that does nothing with the bytes: what no platform can be faster than. */
async function clientFloor(n: number, local: string): Promise<Row[]> {
  const sink = fork(new URL("./sink.ts", import.meta.url));
  try {
    const [baseURL] = z
      .tuple([z.string()])
      .rest(z.unknown())
      .parse(await once(sink, "message"));
    const client = await Sandbox.connect("sink", "key", baseURL);
    const floor = ({ what, unit, summary }: Row): Row => ({ what, unit, summary });
    return [
      floor(
        rate("floor: upload, real client to a bare server", await timed(n, () => client.files.upload(local, path))),
      ),
      floor(rate("floor: download, real client from it", await timed(n, () => client.files.download(path)))),
    ];
  } finally {
    sink.kill();
  }
}

function rate(what: string, milliseconds: readonly number[]): Row {
  const summary = summarize(milliseconds.map((took) => ((mebibytes << 20) / 1e6 / took) * 1000));
  return { what, target: "≥ 300 MB/s", unit: "MB/s", summary, met: summary.median >= 300 };
}
