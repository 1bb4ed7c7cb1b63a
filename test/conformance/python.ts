import { join } from "node:path";
import { z } from "zod";
import type { RunningPlatform } from "#test/e2e/support/platform.ts";
import { pythonWithClient, runPython } from "#test/e2e/support/python.ts";
import { accepted, type ConformanceRow } from "./outcome.ts";

/** Every public method of the sync and the async client, called by methods.py. */
export async function pythonRows(platform: RunningPlatform): Promise<ConformanceRow[]> {
  const text = await runPython(await pythonWithClient(), join(import.meta.dirname, "methods.py"), {
    BULKHEAD_URL: platform.url,
    HOPX_API_KEY: platform.apiKey,
    BULKHEAD_REASONS: JSON.stringify(accepted),
  });
  const rows = z.record(z.string(), z.string().nullable()).parse(JSON.parse(text));
  return Object.entries(rows).map(([name, outcome]) => ({ name, outcome }));
}
