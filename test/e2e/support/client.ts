import { Sandbox } from "@hopx-ai/sdk";
import type { RunningPlatform } from "./platform.ts";

type CreateOptions = Parameters<typeof Sandbox.create>[0];

/** The unmodified JavaScript client, pointed at `platform` and nothing else. */
export function makeClient(platform: RunningPlatform) {
  const connection = { apiKey: platform.apiKey, baseURL: platform.url };
  return {
    connection,
    create: (options: CreateOptions = {}) => Sandbox.create({ template: "base", ...options, ...connection }),
    connect: (id: string) => Sandbox.connect(id, platform.apiKey, platform.url),
    list: () => Sandbox.list(connection),
  };
}
