import { readFileSync } from "node:fs";
import { App, type Environment } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { type DeploymentConfig, parseDeploymentConfig } from "../../../infra/config.ts";
import { NetworkStack } from "../../../infra/stacks/network-stack.ts";
import { StateStack } from "../../../infra/stacks/state-stack.ts";

const cdkJson = JSON.parse(readFileSync(new URL("../../../cdk.json", import.meta.url), "utf8")) as {
  context: Record<string, unknown>;
};

/** An app with the feature flags of cdk.json, and without bundling: that is what makes infra tests slow. */
export function testApp(): App {
  return new App({ context: { ...cdkJson.context, "aws:cdk:bundling-stacks": [] }, analyticsReporting: false });
}

export interface Foundation {
  readonly app: App;
  readonly config: DeploymentConfig;
  readonly network: NetworkStack;
  readonly state: StateStack;
}

/** Network and state of a deployment, not synthesized yet: more stacks may be added. */
export function foundation(context: Record<string, unknown> = {}, env?: Environment): Foundation {
  const app = testApp();
  const config = parseDeploymentConfig(context);
  const shared = { config, ...(env !== undefined && { env }) };
  const network = new NetworkStack(app, `${config.deployment}-network`, shared);
  const state = new StateStack(app, `${config.deployment}-state`, { ...shared, network });
  return { app, config, network, state };
}

/** Both templates of a deployment. */
export function foundationTemplates(context: Record<string, unknown> = {}): { network: Template; state: Template } {
  const { network, state } = foundation(context);
  return { network: Template.fromStack(network), state: Template.fromStack(state) };
}
