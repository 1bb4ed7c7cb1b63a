import { BulkheadError } from "#contracts/errors.ts";
import { type JanitorCall, janitorAnswerSchema } from "#contracts/janitor.ts";
import { type InvokeDeps, makeInvoke, Unanswered } from "./lambda-invoke.ts";

/** As long as the janitor works at a time (lambdas/janitor), and its cold start in the sandbox VPC. */
const removeMs = 65_000;

/**
 * Removes the files of a disk that no instance uses any more through the janitor function, which has the file system's root and no AWS rights.
 * @throws BulkheadError SERVICE_UNAVAILABLE when something is left: to be repeated, each time takes on where the last one stopped
 */
export function makeFileRemover(deps: InvokeDeps): (instanceId: string) => Promise<void> {
  const invoke = makeInvoke(deps);
  return async (instanceId) => {
    const call: JanitorCall = { instanceIds: [instanceId] };
    try {
      const { removed, left } = await invoke(call, janitorAnswerSchema, removeMs);
      if (removed.includes(instanceId)) return;
      throw new Unanswered(left[0]?.why ?? "the janitor says nothing of it");
    } catch (thrown) {
      if (!(thrown instanceof Unanswered)) throw thrown;
      throw new BulkheadError("SERVICE_UNAVAILABLE", "The files of an instance are not removed yet.", {
        details: { why: thrown.message },
        cause: thrown,
      });
    }
  };
}
