import { stat, writeSync } from "node:fs";
import { constants } from "node:os";
import { agentExitCodes } from "#contracts/agent-constants.ts";
import { makeJsonLogger } from "#telemetry/json-logger.ts";
import { makeSecretValues } from "#telemetry/secret-values.ts";
import { makeAgent } from "./agent.ts";
import { refuseOwnMachine } from "./callers.ts";
import { systemClock } from "./clock.ts";
import { makeEgressCredential } from "./egress-credential.ts";
import { readSettings } from "./environment.ts";
import { egressTarget, startRelay } from "./relay.ts";

const settings = readSettings(process.env);
const secretValues = makeSecretValues();
const logger = makeJsonLogger({
  level: "info",
  now: () => Date.now(),
  hide: (text) => secretValues.hide(text),
  write(line) {
    try {
      writeSync(2, `${line}\n`);
    } catch {
      // Nobody reads the log any more; the work goes on.
    }
  },
}).child({ service: "agent", instance_id: settings.BULKHEAD_INSTANCE_ID });

process.on("uncaughtException", (error) => logger.error("uncaught exception", { error }));
process.on("unhandledRejection", (error) => logger.error("unhandled rejection", { error }));

const target = egressTarget(settings);
const credential = target !== undefined && "host" in target ? makeEgressCredential() : undefined;
const server = makeAgent({
  settings,
  egressKeyHash: credential?.hash,
  secretValues,
  logger,
  clock: systemClock,
  end(cause) {
    logger.info("deadline passed", { cause });
    process.exit(agentExitCodes[cause]);
  },
});
// The first process of a container is not ended by a signal that it does not mention.
process.once("SIGTERM", () => process.exit(128 + constants.signals.SIGTERM));
server.on("error", (error) => {
  logger.error("cannot listen", { error });
  process.exit(1);
});
server.on("listening", () => {
  // Starts libuv's threads now: were user code at the process limit when they are first needed, libuv would abort the agent.
  stat("/", () => {});
  if (target !== undefined) startRelay(settings.BULKHEAD_EGRESS_PORT, target, logger, credential?.text);
});
if (settings.BULKHEAD_AGENT_CALLERS === "remote") refuseOwnMachine(server, logger);
if (settings.BULKHEAD_AGENT_FD === undefined) server.listen(settings.BULKHEAD_AGENT_PORT);
else server.listen({ fd: settings.BULKHEAD_AGENT_FD });
