import { RetentionDays } from "aws-cdk-lib/aws-logs";

/** Two ways to run a deployment. Everything here can be overridden by a context key of the same name. */

export const profileNames = ["dev", "prod"] as const;
export type ProfileName = (typeof profileNames)[number];

export interface ProfileDefaults {
  readonly availabilityZones: number;
  readonly gatewayTasks: number;
  readonly proxyTasks: number;
  readonly edgeSpot: boolean;
  readonly edgeCpu: number;
  readonly edgeMemoryMiB: number;
  readonly pool: Readonly<Record<string, number>>;
  readonly retainData: boolean;
  readonly deletionProtection: boolean;
  readonly quotaPerProject: number;
  readonly logRetentionDays: RetentionDays;
}

export const profiles: Readonly<Record<ProfileName, ProfileDefaults>> = {
  /** The smallest bill; `cdk destroy` leaves nothing. */
  dev: {
    availabilityZones: 1,
    gatewayTasks: 1,
    proxyTasks: 1,
    edgeSpot: true,
    edgeCpu: 256,
    edgeMemoryMiB: 512,
    pool: {},
    retainData: false,
    deletionProtection: false,
    quotaPerProject: 20,
    logRetentionDays: RetentionDays.ONE_WEEK,
  },
  /** Survives the loss of a zone and a slip of the hand. */
  prod: {
    availabilityZones: 2,
    gatewayTasks: 2,
    proxyTasks: 2,
    edgeSpot: false,
    edgeCpu: 256,
    edgeMemoryMiB: 512,
    pool: { base: 2, "code-interpreter": 1 },
    retainData: true,
    deletionProtection: true,
    quotaPerProject: 200,
    logRetentionDays: RetentionDays.ONE_YEAR,
  },
};
