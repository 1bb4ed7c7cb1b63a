import { BulkheadError } from "#contracts/errors.ts";
import type { Clock } from "#core/ports.ts";
import type { GatewayDeps, Target } from "#gateway/ports.ts";

export const sandboxId = "1763382095i648uu1oaa";

export function aTarget(change: Partial<Target> = {}): Target {
  return {
    sandboxId,
    projectId: "p1",
    status: "running",
    generation: 1,
    endpoint: { kind: "unix", path: "/nowhere" },
    createdAt: 0,
    expiresAt: 1000,
    endReason: null,
    environment: null,
    ports: [],
    quarantine: null,
    ...change,
  };
}

/** Time that moves only when something sleeps or a test says so; sleeping costs no real time. */
export interface TestClock extends Clock {
  advance(ms: number): void;
}

export function makeTestClock(): TestClock {
  let now = 1_000_000;
  let timers: { at: number; run: () => void }[] = [];
  const advance = (ms: number) => {
    now += ms;
    const due = timers.filter((timer) => timer.at <= now);
    timers = timers.filter((timer) => timer.at > now);
    for (const timer of due) timer.run();
  };
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.push(timer);
      return {
        cancel() {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    async sleep(ms) {
      advance(ms);
    },
    random: (bytes) => new Uint8Array(bytes),
    advance,
  };
}

/** Tokens of tests read `<sandbox id>/<generation>`; expiry is far. */
export const testTokens: GatewayDeps["tokens"] = {
  async verify(token) {
    const [id, generation] = token.split("/");
    if (id === undefined || generation === undefined) throw new BulkheadError("TOKEN_INVALID", "Not a token.");
    return { sandboxId: id, generation: Number(generation), expiresAt: Number.MAX_SAFE_INTEGER };
  },
  async verifyLink(link) {
    const [id, port, generation] = link.split("/");
    if (id === undefined || generation === undefined) throw new BulkheadError("TOKEN_INVALID", "Not a link.");
    return {
      sandboxId: id,
      port: Number(port),
      generation: Number(generation),
      expiresAt: Number.MAX_SAFE_INTEGER,
    };
  },
};

/** Keys of tests read `hopx_live_<project>_<scope>`. */
export const testKeys: GatewayDeps["keys"] = {
  revoked: async () => false,
  async authenticate(key) {
    const [, , projectId = "", scope] = key.split("_");
    if (scope !== "use" && scope !== "read") throw new BulkheadError("INVALID_API_KEY", "No such key.");
    return { projectId, keyId: "keyid0000001", scopes: [scope], environment: null };
  },
};
