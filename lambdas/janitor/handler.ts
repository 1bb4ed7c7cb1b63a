import type { Context } from "aws-lambda";
import { readEnvironment } from "#contracts/environment.ts";
import { type JanitorAnswer, janitorCallSchema } from "#contracts/janitor.ts";
import { janitorEnvSchema } from "../environment.ts";
import { makeCommon } from "../parts/common.ts";
import { guarded } from "../parts/guarded.ts";
import { removeFiles } from "./remove-files.ts";

const env = readEnvironment(janitorEnvSchema, process.env);
const { clock, logger } = makeCommon("janitor", env);
/** The caller waits little longer than this (aws/lambda-janitor.ts): then it is told what is left, and asks again. */
const workMs = 55_000;
/** Kept for the answer. */
const spareMs = 5_000;

/** Removes the disks of ended instances. It sees all of the file system and has no AWS rights. */
export const handler = guarded(logger, async (event: unknown, context: Context): Promise<JanitorAnswer> => {
  const { instanceIds } = janitorCallSchema.parse(event);
  const until = clock.now() + workMs;
  const expired = () => clock.now() >= until || context.getRemainingTimeInMillis() < spareMs;
  const answer = await removeFiles({ mount: env.BULKHEAD_MOUNT, expired }, instanceIds);
  logger.info("files removed", { removed: answer.removed.length, left: answer.left });
  return answer;
});
