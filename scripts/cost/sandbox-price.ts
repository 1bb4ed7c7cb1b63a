import { z } from "zod";
import { makeCalculator } from "./line.ts";
import type { PriceTable } from "./price-table.ts";
import { taskHour } from "./rules/compute.ts";
import type { StackTemplate } from "./template.ts";

/** What a template's sandbox is given on AWS. */
export interface SandboxSize {
  readonly template: string;
  readonly vcpu: number;
  readonly memoryMb: number;
}

export interface SandboxPrice extends SandboxSize {
  readonly fargate: { readonly vcpu: number; readonly memoryGb: number };
  readonly usdPerHour: number;
  /** A warm instance waits all month. */
  readonly usdPerWarmMonth: number;
  /** Warm instances the profile holds. */
  readonly warm: number;
}

/** Fargate's sizes: vCPU → memory in GB, from, to, step (reference/aws-facts.md §1.2). */
const fargateSizes = [
  { vcpu: 0.25, memory: [0.5, 1, 2] },
  { vcpu: 0.5, memory: steps(1, 4, 1) },
  { vcpu: 1, memory: steps(2, 8, 1) },
  { vcpu: 2, memory: steps(4, 16, 1) },
  { vcpu: 4, memory: steps(8, 30, 1) },
  { vcpu: 8, memory: steps(16, 60, 4) },
  { vcpu: 16, memory: steps(32, 120, 8) },
];

function steps(from: number, to: number, step: number): readonly number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
}

/** The smallest size Fargate sells that holds what is asked for. @throws Error when there is none */
export function fargateSize(vcpu: number, memoryMb: number): { readonly vcpu: number; readonly memoryGb: number } {
  for (const size of fargateSizes.filter((one) => one.vcpu >= vcpu)) {
    const memoryGb = size.memory.find((gb) => gb * 1024 >= memoryMb);
    if (memoryGb !== undefined) return { vcpu: size.vcpu, memoryGb };
  }
  throw new Error(`Fargate has no size of ${vcpu} vCPU and ${memoryMb} MB`);
}

export function priceSandboxes(
  sizes: readonly SandboxSize[],
  pool: Readonly<Record<string, number>>,
  table: PriceTable,
): readonly SandboxPrice[] {
  const calculator = makeCalculator(table);
  return sizes.map((size) => {
    const fargate = fargateSize(size.vcpu, size.memoryMb);
    const usdPerHour = taskHour({ ...fargate, architecture: "arm", diskGb: 20, spot: false }, calculator);
    const warm = pool[size.template] ?? 0;
    return { ...size, fargate, usdPerHour, usdPerWarmMonth: usdPerHour * calculator.hours, warm };
  });
}

const settingsVariable = z.looseObject({
  Environment: z.looseObject({ Variables: z.looseObject({ BULKHEAD_SETTINGS: z.string() }) }),
});
const poolSchema = z.looseObject({ pool: z.record(z.string(), z.number()) });

/** Warm instances by template, as the functions of the synthesized app are told; none when no function is. */
export function readPool(templates: readonly StackTemplate[]): Readonly<Record<string, number>> {
  for (const { resources } of templates)
    for (const { Properties } of Object.values(resources)) {
      const found = settingsVariable.safeParse(Properties);
      if (found.success) return poolSchema.parse(JSON.parse(found.data.Environment.Variables.BULKHEAD_SETTINGS)).pool;
    }
  return {};
}
