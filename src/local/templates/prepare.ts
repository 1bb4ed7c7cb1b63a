import { BulkheadError } from "#contracts/errors.ts";
import type { PreparedTemplate } from "#local/compute/types.ts";
import type { Logger } from "#telemetry/logger.ts";

export interface PrepareOptions {
  readonly home: string;
  readonly logger: Logger;
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal;
}

export async function prepareTemplate(name: string, _options: PrepareOptions): Promise<PreparedTemplate> {
  if (name === "base") return { binds: [], env: {}, features: [] };
  throw new BulkheadError("SERVICE_UNAVAILABLE", "not prepared");
}
