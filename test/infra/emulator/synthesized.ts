import { deployment } from "../support/deployment.ts";
import { parseTemplate, type SynthesizedTemplate } from "./template.ts";

/** What is linted and loaded: together they have every resource type that a deployment can have. */
export const deployments: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  prod: { profile: "prod" },
  "prod with all options": {
    profile: "prod",
    waf: true,
    domain: "sandboxes.example.com",
    hostedZoneId: "Z0123456789ABC",
    alarmEmail: "on-call@example.com",
  },
  dev: { profile: "dev" },
};

/** Templates of a whole deployment in the order in which they are deployed, with images built at deploy time as infra/app.ts has it. */
export function synthesized(context: Readonly<Record<string, unknown>>): ReadonlyMap<string, SynthesizedTemplate> {
  const { app } = deployment({ images: {}, edgeImage: undefined, ...context });
  const stacks = app.synth().stacks;
  return new Map(stacks.map(({ stackName, template }) => [stackName, parseTemplate(template)]));
}
