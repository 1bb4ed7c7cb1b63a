import type { Written } from "#core/ports.ts";

/** Adds `count` places to a project's counter if they all fit below `limit`. */
export type TakePlaces = (projectId: string, count: number, limit: number) => Promise<Written>;

interface Waiting {
  readonly limit: number;
  readonly resolve: (result: Written) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Callers of one project that arrive while an update of its counter is under way share the next one: the counter is one item, and a
 * burst of creates would queue up at it. When a group does not fit as a whole its members try one by one.
 */
export function groupTakes(take: TakePlaces): (projectId: string, limit: number) => Promise<Written> {
  const queues = new Map<string, Waiting[]>();

  async function takeAll(projectId: string, group: readonly Waiting[], limit: number): Promise<void> {
    const whole = await take(projectId, group.length, limit);
    if (whole === "written" || group.length === 1) {
      for (const one of group) one.resolve(whole);
      return;
    }
    for (const one of group) {
      try {
        one.resolve(await take(projectId, 1, limit));
      } catch (error) {
        one.reject(error);
      }
    }
  }

  async function drain(projectId: string, queue: Waiting[]): Promise<void> {
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const { limit } = first;
      // One limit per group: in practice there is only one.
      const group = queue.filter((one) => one.limit === limit);
      queue.splice(0, queue.length, ...queue.filter((one) => one.limit !== limit));
      try {
        await takeAll(projectId, group, limit);
      } catch (error) {
        for (const one of group) one.reject(error);
      }
    }
    queues.delete(projectId);
  }

  return (projectId, limit) =>
    new Promise((resolve, reject) => {
      const waiting = { limit, resolve, reject };
      const queue = queues.get(projectId);
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      const fresh = [waiting];
      queues.set(projectId, fresh);
      void drain(projectId, fresh);
    });
}
