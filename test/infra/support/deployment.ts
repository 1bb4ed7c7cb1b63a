import { PlatformStack } from "../../../infra/stacks/platform-stack.ts";
import { type Foundation, foundation } from "./app.ts";

const digest = (name: string) => `123456789012.dkr.ecr.eu-west-1.amazonaws.com/${name}@sha256:${"a".repeat(64)}`;

/** Images by digest: nothing has to be built before. */
export const givenImages = {
  images: { base: digest("base"), "code-interpreter": digest("code-interpreter") },
  edgeImage: digest("edge"),
};

/** All three stacks of a deployment, as infra/app.ts makes them. */
export function deployment(context: Record<string, unknown> = {}): Foundation & { readonly stack: PlatformStack } {
  const base = foundation({ ...givenImages, ...context });
  const { app, config, network, state } = base;
  return { ...base, stack: new PlatformStack(app, `${config.deployment}-platform`, { config, network, state }) };
}
