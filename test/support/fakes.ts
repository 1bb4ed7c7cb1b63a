import { openAdmission } from "#core/admission.ts";
import type { PlatformPorts } from "#core/deps.ts";
import { makeEvents } from "#core/events.ts";
import type { TokenSigner } from "#core/ports.ts";
import { noopLogger } from "#telemetry/logger.ts";
import { type FakeAgent, makeFakeAgent } from "./fake-agent.ts";
import { type FakeCompute, makeFakeCompute } from "./fake-compute.ts";
import { type FakeVault, makeFakeVault } from "./fake-vault.ts";
import { type Faults, withFaults } from "./faults.ts";
import { makeMemoryChain } from "./memory-chain.ts";
import { type MemoryStores, makeMemoryStores } from "./memory-stores.ts";
import { makeVirtualClock, type VirtualClock } from "./virtual-clock.ts";

/** A whole world for the core: `ports` is what it gets, the rest is what a test looks at and turns. */
export interface Fakes {
  readonly clock: VirtualClock;
  readonly stores: MemoryStores;
  readonly compute: FakeCompute;
  readonly agent: FakeAgent;
  readonly vault: FakeVault;
  readonly ports: PlatformPorts;
}

/** `faults` see the core's calls of stores, compute and agent, not the test's own. */
export function makeFakes(options: { readonly seed?: number; readonly faults?: Faults } = {}): Fakes {
  const clock = makeVirtualClock({ seed: options.seed ?? 1 });
  const stores = makeMemoryStores(clock);
  const compute = makeFakeCompute(clock);
  const agent = makeFakeAgent(compute, clock);
  const vault = makeFakeVault();
  const { faults } = options;
  const faulty = <T extends object>(name: string, port: T): T =>
    faults === undefined ? port : withFaults(name, port, faults);
  return {
    clock,
    stores,
    compute,
    agent,
    vault,
    ports: {
      sandboxes: faulty("sandboxes", stores.sandboxes),
      instances: faulty("instances", stores.instances),
      templates: faulty("templates", stores.templates),
      keys: faulty("keys", stores.keys),
      audit: faulty("audit", stores.audit),
      auditChain: makeMemoryChain(stores.audit.events, clock),
      egress: stores.egress,
      compute: faulty("compute", compute),
      agent: faulty("agent", agent),
      signer: makeFakeSigner(),
      vault: faulty("vault", vault),
      admission: openAdmission,
      events: makeEvents(),
      clock,
      logger: noopLogger,
    },
  };
}

/** Readable tokens, each different: `<sandbox>.<generation>.<count>`. */
export function makeFakeSigner(): TokenSigner {
  let count = 0;
  return {
    async sign(claims) {
      count += 1;
      return `${claims.sandboxId}.${claims.generation}.${count}`;
    },
    async signLink(claims) {
      count += 1;
      return `${claims.sandboxId}.${claims.port}.${claims.generation}.${count}`;
    },
  };
}
