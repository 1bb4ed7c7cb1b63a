import type { Grant, IGrantable } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import type { DeploymentConfig } from "../config.ts";
import { type GrantName, grantRoutes } from "./api/grants.ts";
import type { Throttle } from "./api/stages.ts";
import { ControlPlane } from "./control-plane.ts";
import { EdgeServices } from "./edge/edge-services.ts";
import type { SandboxAccess } from "./edge/sandbox-access.ts";
import { PlatformImages as BuiltImages } from "./images/platform-images.ts";
import { Monitoring } from "./monitoring/monitoring.ts";
import type { PlatformImages, PlatformNetwork, PlatformState } from "./parts.ts";

export interface SandboxPlatformProps {
  readonly config: DeploymentConfig;
  readonly network: PlatformNetwork;
  readonly state: PlatformState;
  /** Images of instances and of the edge. @default - built during the deployment, what the configuration names by digest aside */
  readonly images?: PlatformImages;
  /** The way in and the way out. @default - gateway and egress proxy as Fargate services of their own */
  readonly edge?: EdgeServices;
  /** Requests of all callers of a door together. @default 200 a second, burst 400 */
  readonly throttle?: Throttle;
  /** Creates of all callers of a door together. @default 20 a second, burst 100: what Fargate launches */
  readonly createThrottle?: Throttle;
  /** Traces of doors and functions to X-Ray. @default false */
  readonly tracing?: boolean;
  /** CloudWatch's metrics per task of instances, billed per metric. @default false */
  readonly containerInsights?: boolean;
}

/**
 * A sandbox cloud in an AWS account: what decides (functions, doors), the ways in and out, and the watch over them. Network and state
 * come from outside, so that they can live in stacks of their own and outlive it.
 *
 * @example
 * const platform = new SandboxPlatform(stack, "Sandboxes", { config, network, state });
 * platform.grantUse(agentFunction);
 */
export class SandboxPlatform extends Construct {
  /** Base URL for API keys (`X-API-Key`, `Authorization: Bearer`), without a trailing slash. */
  readonly keyApiUrl: string;
  /** Base URL for AWS IAM (SigV4), without a trailing slash. */
  readonly iamApiUrl: string;
  /** Where agents are reached, without a trailing slash. */
  readonly gatewayUrl: string;
  readonly control: ControlPlane;
  /** What sandboxes with AWS grants may do at most: `bucket.grantRead(platform.sandboxAccess)`. Nothing, until it is said. */
  readonly sandboxAccess: SandboxAccess;
  /** Alarms, the topic they go to, and the dashboard. */
  readonly monitoring: Monitoring;

  constructor(scope: Construct, id: string, props: SandboxPlatformProps) {
    super(scope, id);
    const images = props.images ?? new BuiltImages(this, "Images", props);
    const edge = props.edge ?? new EdgeServices(this, "Edge", { ...props, images });
    this.control = new ControlPlane(this, "Control", { ...props, images, edge });
    const { api, functions, deadLetters } = this.control;
    this.monitoring = new Monitoring(this, "Monitoring", {
      config: props.config,
      state: props.state,
      functions: functions.functions,
      apis: { key: api.keyDoor.api, iam: api.iamDoor.api },
      deadLetters,
      edge,
    });
    this.keyApiUrl = api.keyDoor.url;
    this.iamApiUrl = api.iamDoor.url;
    this.gatewayUrl = edge.gatewayUrl;
    this.sandboxAccess = edge.sandboxAccess;
  }

  /** Lets a grantee see sandboxes and templates of the project that IAM callers act for. */
  grantRead(grantee: IGrantable): Grant {
    return this.grant(grantee, "read");
  }

  /** As `grantRead`, and make, change and end sandboxes, and get tokens for them. */
  grantUse(grantee: IGrantable): Grant {
    return this.grant(grantee, "use");
  }

  /** As `grantUse`, and manage API keys and templates. */
  grantManage(grantee: IGrantable): Grant {
    return this.grant(grantee, "manage");
  }

  private grant(grantee: IGrantable, name: GrantName): Grant {
    return grantRoutes(this.control.api.iamDoor.api, grantee, name);
  }
}
