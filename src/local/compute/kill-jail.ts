import type { Jail } from "./jail.ts";
import { childrenOf, killQuietly } from "./processes.ts";

const firstWaitMs = 3_000;
const lastWaitMs = 7_000;

async function endsWithin(jail: Jail, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const ended = await Promise.race([jail.exited.then(() => true), late]);
  clearTimeout(timer);
  return ended;
}

/**
 * Kills the namespace's first process, which takes all others with it; the monitor ends after the last of them.
 * @throws Error when something cannot be killed (it hangs in the kernel)
 */
export async function killJail(jail: Jail, members: () => readonly number[]): Promise<void> {
  if (jail.ended()) return;
  const inside = childrenOf(jail.pid);
  // A monitor without a child is still setting up; it is killed by itself.
  for (const pid of inside.length > 0 ? inside : [jail.pid]) killQuietly(pid);
  if (await endsWithin(jail, firstWaitMs)) return;
  for (const pid of [...members(), jail.pid]) killQuietly(pid);
  if (!(await endsWithin(jail, lastWaitMs))) throw new Error(`process ${jail.pid} does not die`);
}
