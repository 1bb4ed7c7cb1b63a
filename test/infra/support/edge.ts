import { Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { EdgeServices } from "../../../infra/constructs/edge/edge-services.ts";
import { foundation } from "./app.ts";

export const edgeImage = `public.example/edge@sha256:${"e".repeat(64)}`;

/** The edge in a stack of its own, on a real network and state. */
export function edgeStack(context: Record<string, unknown> = {}) {
  const base = foundation(context);
  const stack = new Stack(base.app, "edge");
  const edge = new EdgeServices(stack, "Edge", { ...base, images: { edge: edgeImage } });
  return {
    ...base,
    stack,
    edge,
    template: Template.fromStack(stack),
    networkTemplate: Template.fromStack(base.network),
  };
}
