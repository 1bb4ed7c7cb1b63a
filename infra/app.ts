import { App, Tags } from "aws-cdk-lib";
import { parseDeploymentConfig } from "./config.ts";
import { NetworkStack } from "./stacks/network-stack.ts";
import { PlatformStack } from "./stacks/platform-stack.ts";
import { StateStack } from "./stacks/state-stack.ts";

const app = new App();
const config = parseDeploymentConfig(app.node.getAllContext() as Record<string, unknown>);
const { account, region, deployment } = config;
const env = account === undefined || region === undefined ? {} : { env: { account, region } };

const network = new NetworkStack(app, `${deployment}-network`, { config, ...env });
const state = new StateStack(app, `${deployment}-state`, { config, network, ...env });
const platform = new PlatformStack(app, `${deployment}-platform`, { config, network, state, ...env });

// Not `bulkhead:deployment`: that tag gives tear-down the right to remove what carries it, and only instances' things do.
for (const stack of [network, state, platform]) Tags.of(stack).add("bulkhead:platform", deployment);
app.synth();
