import { z } from "zod";
import type { Calculator, Priced, Rule, RuleInput } from "../line.ts";
import { type Resource, referenced } from "../template.ts";

const providersSchema = z.array(z.looseObject({ CapacityProvider: z.string(), Base: z.number().optional() }));
const serviceSchema = z.looseObject({
  DesiredCount: z.number().optional(),
  LaunchType: z.string().optional(),
  CapacityProviderStrategy: providersSchema.optional(),
  TaskDefinition: z.unknown(),
  NetworkConfiguration: z.looseObject({
    AwsvpcConfiguration: z.looseObject({ AssignPublicIp: z.string().default("DISABLED") }),
  }),
});
const taskDefinitionSchema = z.looseObject({
  Cpu: z.coerce.number(),
  Memory: z.coerce.number(),
  RuntimePlatform: z
    .looseObject({ CpuArchitecture: z.string().default("X86_64") })
    .default({ CpuArchitecture: "X86_64" }),
  EphemeralStorage: z.looseObject({ SizeInGiB: z.number() }).optional(),
});
const scalableSchema = z.looseObject({
  MinCapacity: z.number(),
  ServiceNamespace: z.string(),
  ResourceId: z.unknown(),
});

export interface TaskSize {
  readonly vcpu: number;
  readonly memoryGb: number;
  readonly architecture: "arm" | "x86";
  readonly diskGb: number;
  readonly spot: boolean;
}

/** Dollars an hour of one Fargate task. */
export function taskHour(size: TaskSize, calculator: Calculator): number {
  const { vcpu, memoryGb, architecture, diskGb } = size;
  const full =
    vcpu * calculator.usd(`fargate.${architecture}.vcpu`) + memoryGb * calculator.usd(`fargate.${architecture}.memory`);
  const disk = Math.max(0, diskGb - 20) * calculator.usd("fargate.disk");
  return (size.spot ? full * calculator.usd("fargate.spot.share") : full) + disk;
}

function sizeOf(taskDefinition: Resource, spot: boolean): TaskSize {
  const { Cpu, Memory, RuntimePlatform, EphemeralStorage } = taskDefinitionSchema.parse(taskDefinition.Properties);
  return {
    vcpu: Cpu / 1024,
    memoryGb: Memory / 1024,
    architecture: RuntimePlatform.CpuArchitecture === "ARM64" ? "arm" : "x86",
    diskGb: EphemeralStorage?.SizeInGiB ?? 20,
    spot,
  };
}

/** Spot only when every task of the service may be: a base on Fargate is billed in full. */
function runsOnSpot({ CapacityProviderStrategy, LaunchType }: z.infer<typeof serviceSchema>): boolean {
  if (CapacityProviderStrategy === undefined) {
    if (LaunchType === undefined) throw new Error("neither LaunchType nor CapacityProviderStrategy: spot or not?");
    return false;
  }
  const names = new Set(CapacityProviderStrategy.map(({ CapacityProvider }) => CapacityProvider));
  return names.size === 1 && names.has("FARGATE_SPOT");
}

/** Autoscaling never goes below its minimum, whatever the service says. */
function minimumOf({ template, resource }: RuleInput): number {
  const name = Object.entries(template.resources).find(([, other]) => other === resource)?.[0] ?? "";
  const targets = Object.values(template.resources)
    .filter(({ Type }) => Type === "AWS::ApplicationAutoScaling::ScalableTarget")
    .map(({ Properties }) => scalableSchema.parse(Properties))
    .filter(({ ResourceId }) => JSON.stringify(ResourceId).includes(`"${name}"`));
  return Math.max(0, ...targets.map(({ MinCapacity }) => MinCapacity));
}

const service: Rule = (input) => {
  const { template, resource, calculator } = input;
  const properties = serviceSchema.parse(resource.Properties);
  const taskDefinition = referenced(template, properties.TaskDefinition);
  if (taskDefinition === undefined) throw new Error("its task definition is not in the same template");
  const spot = runsOnSpot(properties);
  const size = sizeOf(taskDefinition, spot);
  const count = Math.max(properties.DesiredCount ?? 1, minimumOf(input));
  const lines: Priced[] = [
    {
      what: `Fargate${spot ? " Spot" : ""} ${size.vcpu} vCPU ${size.memoryGb} GB ${size.architecture}`,
      quantity: count,
      unit: "tasks",
      usdPerMonth: count * calculator.hours * taskHour(size, calculator),
      prices: [
        `fargate.${size.architecture}.vcpu`,
        `fargate.${size.architecture}.memory`,
        ...(spot ? ["fargate.spot.share"] : []),
      ],
    },
  ];
  if (properties.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp === "ENABLED")
    lines.push(calculator.hourly("public IPv4 of the tasks", count, "addresses", "ipv4.hour"));
  return lines;
};

const clusterSchema = z.looseObject({
  ClusterSettings: z.array(z.looseObject({ Name: z.string(), Value: z.string() })).default([]),
});

export const computeRules: Readonly<Record<string, Rule>> = {
  service,
  cluster({ resource }) {
    const { ClusterSettings } = clusterSchema.parse(resource.Properties);
    const insights = ClusterSettings.find(({ Name, Value }) => Name === "containerInsights" && Value !== "disabled");
    // Its metrics are counted by task and container: with a task per sandbox they cost more than the sandboxes.
    if (insights !== undefined)
      throw new Error(`containerInsights is ${insights.Value}: its metrics have no price here`);
    return [];
  },
  alias({ resource }) {
    if (resource.Properties["ProvisionedConcurrencyConfig"] !== undefined)
      throw new Error("provisioned concurrency has no price here");
    return [];
  },
};
