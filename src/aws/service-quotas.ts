import {
  GetAWSDefaultServiceQuotaCommand,
  GetServiceQuotaCommand,
  type ServiceQuotasClient,
} from "@aws-sdk/client-service-quotas";
import type { Clock } from "#core/ports.ts";
import type { Logger } from "#telemetry/logger.ts";
import { type Capacity, type CapacityLimit, capacityOf } from "./capacity.ts";
import { type ClientChoice, quotasClient } from "./service-clients.ts";

export interface CapacityDeps extends ClientChoice<ServiceQuotasClient> {
  /** vCPU of the smallest instance. */
  readonly vcpu: number;
  /** @default false: tasks run on demand */
  readonly spot?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Quota {
  readonly name: string;
  readonly serviceCode: string;
  /** null: AWS publishes none that could be read. */
  readonly quotaCode: string | null;
  /** What AWS documents, for when nothing can be read (aws-facts §1.1, §2, §3). */
  readonly documented: number;
  readonly perInstance: number;
  /** Taken by the deployment itself, whatever number of instances. */
  readonly taken: number;
}

/** Security groups and network interfaces of gateway, proxy, endpoints, functions and mount targets, generously. */
const ownNetwork = 30;

function quotasOf({ vcpu, spot }: CapacityDeps): readonly Quota[] {
  const one = { perInstance: 1, taken: ownNetwork };
  const fargate = { serviceCode: "fargate", documented: 6, perInstance: vcpu, taken: 0 };
  return [
    spot === true
      ? { ...fargate, name: "Fargate Spot vCPU", quotaCode: "L-36FBB829" }
      : { ...fargate, name: "Fargate On-Demand vCPU", quotaCode: "L-3032A538" },
    { ...one, name: "Security groups per Region", serviceCode: "vpc", quotaCode: "L-E79EC296", documented: 2_500 },
    { ...one, name: "Network interfaces per Region", serviceCode: "vpc", quotaCode: "L-DF5E4CA3", documented: 5_000 },
    {
      ...{ name: "EFS access points per file system", serviceCode: "elasticfilesystem", quotaCode: null },
      ...{ documented: 10_000, perInstance: 1, taken: 1 },
    },
  ];
}

/** How many instances the account has room for. Never fails for a quota that cannot be read: its source then says so. */
export async function readCapacity(deps: CapacityDeps): Promise<Capacity> {
  const client = quotasClient(deps);
  const limits = await Promise.all(quotasOf(deps).map((quota) => readLimit(client, quota, deps.logger)));
  return capacityOf(limits, deps.clock.now());
}

async function readLimit(client: ServiceQuotasClient, quota: Quota, logger: Logger): Promise<CapacityLimit> {
  const { name, perInstance, taken } = quota;
  const [value, source] = await readValue(client, quota, logger);
  return { name, value, instances: Math.max(0, Math.floor((value - taken) / perInstance)), source };
}

async function readValue(
  client: ServiceQuotasClient,
  quota: Quota,
  logger: Logger,
): Promise<[number, CapacityLimit["source"]]> {
  const { serviceCode, quotaCode, documented, name } = quota;
  if (quotaCode === null) return [documented, "documented"];
  const which = { ServiceCode: serviceCode, QuotaCode: quotaCode };
  try {
    // An account that never asked for more may have no value of its own.
    const own = await client.send(new GetServiceQuotaCommand(which)).catch((error: unknown) => {
      if (error instanceof Error && error.name === "NoSuchResourceException") return null;
      throw error;
    });
    if (own?.Quota?.Value !== undefined) return [own.Quota.Value, "account"];
    const usual = await client.send(new GetAWSDefaultServiceQuotaCommand(which));
    if (usual.Quota?.Value !== undefined) return [usual.Quota.Value, "default"];
  } catch (error) {
    logger.warn("quota not readable, the documented default is taken", { quota: name, error });
  }
  return [documented, "documented"];
}
