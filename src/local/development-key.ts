import { readFile } from "node:fs/promises";
import type { Home } from "./home.ts";
import { writePrivate } from "./home.ts";

/** What the first start needs of the key service. */
export interface DevelopmentKeys {
  authenticate(rawKey: string): Promise<unknown>;
  bootstrap(request: { readonly projectId: string; readonly name: string }): Promise<{ readonly key: string }>;
}

export const developmentProject = "default";

/**
 * The key in `$BULKHEAD_HOME/api-key`: the one that is there if it still works, else a new one.
 * @returns whether a new one was written
 */
export async function ensureDevelopmentKey(home: Home, keys: DevelopmentKeys): Promise<"kept" | "written"> {
  const existing = (await readFile(home.apiKeyFile, "utf8").catch(() => "")).trim();
  if (existing !== "" && (await works(keys, existing))) return "kept";
  const { key } = await keys.bootstrap({ projectId: developmentProject, name: "development" });
  await writePrivate(home.apiKeyFile, `${key}\n`);
  return "written";
}

async function works(keys: DevelopmentKeys, rawKey: string): Promise<boolean> {
  try {
    await keys.authenticate(rawKey);
    return true;
  } catch {
    // Unknown, expired or revoked: whatever it was, a new key is the answer.
    return false;
  }
}
