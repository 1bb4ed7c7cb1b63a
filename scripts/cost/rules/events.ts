import { z } from "zod";
import type { Priced, Rule, RuleInput } from "../line.ts";
import { referenced } from "../template.ts";

const ruleSchema = z.looseObject({
  ScheduleExpression: z.string().optional(),
  State: z.string().default("ENABLED"),
  Targets: z.array(z.looseObject({ Arn: z.unknown() })).default([]),
});
const scheduleSchema = z.looseObject({
  ScheduleExpression: z.string(),
  Target: z.looseObject({ Arn: z.unknown() }),
});
const functionSchema = z.looseObject({
  MemorySize: z.number().default(128),
  Architectures: z.array(z.string()).optional(),
});
const mappingSchema = z.looseObject({ EventSourceArn: z.unknown() });

const minutes: Readonly<Record<string, number>> = { minute: 1, hour: 60, day: 1440 };

/** @throws Error for cron expressions: how often they fire is not worked out here */
export function runsPerMonth(expression: string, hoursPerMonth: number): number {
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  const every = Number(rate?.[1]) * (minutes[rate?.[2] ?? ""] ?? Number.NaN);
  if (Number.isNaN(every)) throw new Error(`"${expression}" is not a rate: its runs cannot be counted`);
  return (hoursPerMonth * 60) / every;
}

function runsOf(input: RuleInput, expression: string, target: unknown): readonly Priced[] {
  const { template, calculator } = input;
  const runs = runsPerMonth(expression, calculator.hours);
  const resource = referenced(template, target);
  if (resource?.Type !== "AWS::Lambda::Function") return [];
  const { MemorySize } = functionSchema.parse(resource.Properties);
  const seconds = calculator.assume("lambda.seconds");
  const usdPerMonth =
    (runs / 1e6) * calculator.usd("lambda.requests") +
    runs * seconds * (MemorySize / 1024) * calculator.usd("lambda.arm.duration");
  const prices = ["lambda.requests", "lambda.arm.duration"];
  const what = `scheduled function, ${MemorySize} MB, ${expression}`;
  return [{ what, quantity: runs, unit: "runs", usdPerMonth, prices, assumption: "lambda.seconds" }];
}

export const eventRules: Readonly<Record<string, Rule>> = {
  "event-rule"(input) {
    const { ScheduleExpression, State, Targets } = ruleSchema.parse(input.resource.Properties);
    if (ScheduleExpression === undefined || State === "DISABLED") return [];
    return Targets.flatMap(({ Arn }) => runsOf(input, ScheduleExpression, Arn));
  },
  schedule(input) {
    const { ScheduleExpression, Target } = scheduleSchema.parse(input.resource.Properties);
    return runsOf(input, ScheduleExpression, Target.Arn);
  },
  "event-source"({ resource, template, calculator }) {
    const { EventSourceArn } = mappingSchema.parse(resource.Properties);
    // Polling a table's stream is free for Lambda, polling a queue is not.
    if (referenced(template, EventSourceArn)?.Type !== "AWS::SQS::Queue") return [];
    return [calculator.assumed("polls of a queue", "sqs.polls", "sqs.requests")];
  },
  stage({ resource }) {
    if (resource.Properties["CacheClusterEnabled"] === true) throw new Error("an API cache has no price here");
    return [];
  },
};
