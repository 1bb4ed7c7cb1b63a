import { App, Tags } from "aws-cdk-lib";
import { parseDeploymentConfig } from "./config.ts";
import { StateStack } from "./stacks/state-stack.ts";

const app = new App();
const config = parseDeploymentConfig({ deployment: app.node.tryGetContext("deployment") as unknown });
const state = new StateStack(app, `${config.deployment}-state`);
Tags.of(state).add("bulkhead:deployment", config.deployment);
app.synth();
