import type { Attempt } from "./attempt.ts";
import { attempts as agent } from "./groups/agent.ts";
import { attempts as agentMore } from "./groups/agent-more.ts";
import { attempts as archives } from "./groups/archives.ts";
import { attempts as broker } from "./groups/broker.ts";
import { attempts as direct } from "./groups/direct.ts";
import { attempts as dns } from "./groups/dns.ts";
import { attempts as files } from "./groups/files.ts";
import { attempts as filesMore } from "./groups/files-more.ts";
import { attempts as floods } from "./groups/floods.ts";
import { attempts as forgery } from "./groups/forgery.ts";
import { attempts as gateway } from "./groups/gateway.ts";
import { attempts as gatewayMore } from "./groups/gateway-more.ts";
import { attempts as kernel } from "./groups/kernel.ts";
import { attempts as lifetime } from "./groups/lifetime.ts";
import { attempts as logs } from "./groups/logs.ts";
import { attempts as metadata } from "./groups/metadata.ts";
import { attempts as neighbours } from "./groups/neighbours.ts";
import { attempts as neighboursMore } from "./groups/neighbours-more.ts";
import { attempts as neighboursReach } from "./groups/neighbours-reach.ts";
import { attempts as policy } from "./groups/policy.ts";
import { attempts as processes } from "./groups/processes.ts";
import { attempts as redirects } from "./groups/redirects.ts";
import { attempts as secrets } from "./groups/secrets.ts";
import { attempts as secretsMore } from "./groups/secrets-more.ts";
import { attempts as smuggling } from "./groups/smuggling.ts";
import { attempts as sockets } from "./groups/sockets.ts";
import { attempts as uploads } from "./groups/uploads.ts";

/** Every attempt, in the order in which they are made. */
export const allAttempts: readonly Attempt[] = [
  ...[files, archives, processes, kernel].flat(),
  ...[sockets, dns, direct, metadata, smuggling, redirects, policy, broker].flat(),
  ...[neighbours, neighboursMore, agent, gateway, gatewayMore, secrets, lifetime, logs, floods].flat(),
  ...[agentMore, uploads, filesMore, forgery, neighboursReach, secretsMore].flat(),
];
