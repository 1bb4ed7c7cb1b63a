import { secretsAmong } from "#telemetry/secret-names.ts";
import type { SecretValues } from "#telemetry/secret-values.ts";
import type { SandboxRecord } from "./model.ts";
import type { Clock, Events, Timer, Vault } from "./ports.ts";

/** Late lines of a log still name what an ended sandbox had. */
const lateMs = 600_000;

/** Where the core says which secrets a sandbox is given: whatever writes in this process takes their values out. */
export type SecretMemory = Pick<SecretValues, "remember" | "hide">;

/** To be called before an agent is given its variables. */
export function rememberDelivered(
  memory: SecretMemory | undefined,
  { id, projectId, secretNames }: Pick<SandboxRecord, "id" | "projectId" | "secretNames">,
  env: Readonly<Record<string, string>>,
): void {
  memory?.remember({ id, projectId }, secretsAmong(env, secretNames));
}

/**
 * Forgets what an owner has ten minutes after it was last remembered, and what a running sandbox has ten minutes after its end. A process
 * that does not hear of ends passes no events: it deals with a sandbox for less than that.
 */
export function makeSecretMemory(
  values: SecretValues,
  clock: Pick<Clock, "after">,
  events?: Pick<Events, "subscribe">,
): SecretMemory {
  const timers = new Map<string, Timer>();
  const keep = (id: string) => {
    timers.get(id)?.cancel();
    timers.delete(id);
  };
  const forgetLater = (id: string) => {
    keep(id);
    const forget = () => {
      timers.delete(id);
      values.forget(id);
    };
    timers.set(id, clock.after(lateMs, forget));
  };
  const live = new Set<string>();
  events?.subscribe((event) => {
    if (event.type === "sandbox.ended") {
      live.delete(event.sandboxId);
      forgetLater(event.sandboxId);
    } else if (event.type === "sandbox.running") {
      live.add(event.record.id);
      keep(event.record.id);
    }
  });
  return {
    remember(owner, secrets) {
      values.remember(owner, secrets);
      if (!live.has(owner.id)) forgetLater(owner.id);
    },
    hide: (text, projectId) => values.hide(text, projectId),
  };
}

/** A vault whose answers are remembered: values of secrets that are used without being delivered. */
export function rememberResolved<V extends Pick<Vault, "resolve">>(vault: V, memory: SecretMemory): V {
  return {
    ...vault,
    async resolve(projectId: string, references: Readonly<Record<string, string>>) {
      const values = await vault.resolve(projectId, references);
      for (const [name, value] of Object.entries(values)) {
        // By its reference as well: what one sandbox resolves is no other's to forget.
        memory.remember({ id: `${projectId} ${references[name] ?? name}`, projectId }, { [name]: value });
      }
      return values;
    },
  };
}
