import type { NodejsFunction } from "aws-cdk-lib/aws-lambda-nodejs";
import type { LogGroup } from "aws-cdk-lib/aws-logs";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { FunctionName } from "../parts.ts";
import { apiFunctions } from "./api-functions.ts";
import { keeperFunctions } from "./keeper-functions.ts";
import { sandboxFunctions } from "./sandbox-functions.ts";
import type { SettingsSource } from "./settings.ts";

export interface FunctionsProps extends SettingsSource {
  readonly deadLetters: { readonly events: IQueue; readonly stream: IQueue };
  /** Traces to X-Ray, of all but the functions that have no AWS rights. @default false */
  readonly tracing?: boolean;
}

type Each<T> = Readonly<Record<FunctionName, T>>;

/** The functions of the control plane, cut by privilege: each file beside this one says what its functions may do, and no grant adds to it. */
export class Functions extends Construct {
  readonly functions: Each<NodejsFunction>;
  readonly logGroups: Each<LogGroup>;

  constructor(scope: Construct, id: string, props: FunctionsProps) {
    super(scope, id);
    const made = { ...apiFunctions(this, props), ...keeperFunctions(this, props), ...sandboxFunctions(this, props) };
    const each = <T>(pick: (one: { handler: NodejsFunction; logGroup: LogGroup }) => T): Each<T> => ({
      "api-read": pick(made["api-read"]),
      "api-lifecycle": pick(made["api-lifecycle"]),
      authorizer: pick(made.authorizer),
      "task-events": pick(made["task-events"]),
      sweeper: pick(made.sweeper),
      pool: pick(made.pool),
      bridge: pick(made.bridge),
      janitor: pick(made.janitor),
      bootstrap: pick(made.bootstrap),
      chainer: pick(made.chainer),
    });
    this.functions = each(({ handler }) => handler);
    this.logGroups = each(({ logGroup }) => logGroup);
  }
}
