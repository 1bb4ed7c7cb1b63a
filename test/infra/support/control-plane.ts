import { Stack } from "aws-cdk-lib";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { ControlPlane, type ControlPlaneProps } from "../../../infra/constructs/control-plane.ts";
import type { PlatformEdge, PlatformImages } from "../../../infra/constructs/parts.ts";
import { type Foundation, foundation } from "./app.ts";

export const images: PlatformImages = {
  templates: { base: "registry/base@sha256:1", "code-interpreter": "registry/code-interpreter@sha256:2" },
  edge: "registry/edge@sha256:3",
};

export interface TestedPlane extends Foundation {
  readonly stack: Stack;
  readonly plane: ControlPlane;
}

/** The control plane in a stack of its own, on a real network and state; what the edge hands over is made up. */
export function controlPlane(
  context: Record<string, unknown> = {},
  more: Partial<ControlPlaneProps> = {},
): TestedPlane {
  const base = foundation(context);
  const stack = new Stack(base.app, `${base.config.deployment}-platform`);
  const { config, network, state } = base;
  const plane = new ControlPlane(stack, "Control", { config, network, state, images, edge: edgeOf(stack), ...more });
  return { ...base, stack, plane };
}

/** What the edge hands over, made up. */
export function edgeOf(scope: Construct): PlatformEdge {
  return {
    gatewayUrl: "https://gateway.example.com",
    domain: null,
    egressProxy: { host: "egress.bulkhead.internal", port: 3128 },
    logGroups: { gateway: new LogGroup(scope, "GatewayLog"), egressProxy: new LogGroup(scope, "ProxyLog") },
  };
}
