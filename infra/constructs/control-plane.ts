import { Construct } from "constructs";
import { ControlApi } from "./api/control-api.ts";
import type { StageProps } from "./api/stages.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Events } from "./events.ts";
import { Functions } from "./functions/functions.ts";
import type { SettingsSource } from "./functions/settings.ts";
import { InstanceCluster } from "./instance-cluster.ts";

export interface ControlPlaneProps
  extends Omit<SettingsSource, "place">,
    Pick<StageProps, "throttle" | "createThrottle" | "tracing"> {
  /** CloudWatch's metrics per task of instances. @default false */
  readonly containerInsights?: boolean;
}

/** Everything that decides: functions, what starts them, the two doors, and the cluster that instances run in. */
export class ControlPlane extends Construct {
  readonly instances: InstanceCluster;
  readonly deadLetters: DeadLetters;
  readonly functions: Functions;
  readonly api: ControlApi;

  constructor(scope: Construct, id: string, props: ControlPlaneProps) {
    super(scope, id);
    const { config, network, state } = props;
    this.instances = new InstanceCluster(this, "Instances", props);
    this.deadLetters = new DeadLetters(this, "DeadLetters", { key: state.keys.data });
    const { cluster, executionRole } = this.instances;
    this.functions = new Functions(this, "Functions", {
      ...props,
      deadLetters: this.deadLetters,
      place: {
        deployment: config.deployment,
        cluster,
        executionRole,
        vpc: network.sandboxVpc,
        fileSystem: state.fileSystem,
      },
    });
    const { functions } = this.functions;
    this.api = new ControlApi(this, "Api", { ...props, functions, logKey: state.keys.data });
    new Events(this, "Events", { functions, cluster, table: state.table, deadLetters: this.deadLetters });
  }
}
