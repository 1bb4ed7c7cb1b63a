import { Duration, Stack } from "aws-cdk-lib";
import {
  AuthorizationType,
  AwsIntegration,
  CfnRestApi,
  EndpointAccessMode,
  EndpointType,
  type IAuthorizer,
  type IModel,
  type Integration,
  type IResource,
  type MethodOptions,
  type RequestValidator,
  RestApi,
  SecurityPolicy,
  type Stage,
} from "aws-cdk-lib/aws-apigateway";
import { CfnPermission, type IFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import { acknowledge } from "../../acknowledge.ts";
import type { DeploymentConfig } from "../../config.ts";
import type { ApiGatewayAccount } from "./access-log.ts";
import { draft4 } from "./draft4.ts";
import { addGatewayResponses, type DoorKind } from "./gateway-responses.ts";
import { type ApiRoute, apiRoutes, bodySchema } from "./routes.ts";
import { completeStages, firstStage, type StageProps, stageOptions } from "./stages.ts";

export interface DoorProps extends StageProps {
  readonly config: DeploymentConfig;
  readonly kind: DoorKind;
  readonly functions: { readonly read: IFunction; readonly lifecycle: IFunction };
  /** Asks whose API key it is; for the door of keys only. */
  readonly authorizer?: IAuthorizer;
  readonly account: ApiGatewayAccount;
}

/**
 * One of the two doors to the control plane: a Regional REST API with every route of docs/openapi.json. What reads goes to one function,
 * what changes to the other; everything else is answered by the app as well: 404, or 405 where other methods are served.
 * All stages serve one tree, the union of what is below them; the app sees the whole path and knows the routes from the rest.
 */
export class Door extends Construct {
  readonly api: RestApi;
  readonly stages: readonly Stage[];
  /** Base URL for clients, without a trailing slash: routes follow it as they stand in the document. */
  readonly url: string;

  constructor(scope: Construct, id: string, props: DoorProps) {
    super(scope, id);
    const { config, kind, functions } = props;
    this.api = new RestApi(this, "Api", {
      restApiName: `${config.deployment}-${kind}`,
      description: kind === "iam" ? "Control plane for AWS IAM (SigV4)" : "Control plane for API keys",
      endpointTypes: [EndpointType.REGIONAL],
      deployOptions: stageOptions(firstStage, props),
      // The account's log role is made once, for both doors.
      cloudWatchRole: false,
    });
    // Names one stage of several.
    this.api.node.tryRemoveChild("Endpoint");
    requireTls(this.api);
    acknowledge(this.api, { "AwsSolutions-COG4": callers[kind] });
    this.url = `https://${this.api.restApiId}.execute-api.${Stack.of(this).region}.${Stack.of(this).urlSuffix}`;
    const guarded: MethodOptions =
      props.authorizer === undefined
        ? { authorizationType: AuthorizationType.IAM }
        : { authorizationType: AuthorizationType.CUSTOM, authorizer: props.authorizer };
    const read = integration(functions.read);
    const routes = new Routes({ api: this.api, guarded, read, lifecycle: integration(functions.lifecycle) });
    for (const route of apiRoutes) routes.add(route);
    routes.addRest();
    for (const one of [functions.read, functions.lifecycle]) this.allow(one);
    addGatewayResponses(this.api, kind);
    this.stages = completeStages(this.api, props.account, props);
  }

  /** One permission for all methods of the API: a permission for each would fill the function's policy. */
  private allow(target: IFunction): void {
    new CfnPermission(this, `Invoke${target.node.path.split("/").at(-2) ?? ""}`, {
      action: "lambda:InvokeFunction",
      functionName: target.functionArn,
      principal: "apigateway.amazonaws.com",
      sourceArn: this.api.arnForExecuteApi("*", "/*", "*"),
    });
  }
}

/** TLS 1.2 with forward secrecy at the least; left alone a Regional API takes TLS 1.0. */
function requireTls(api: RestApi): void {
  const resource = api.node.defaultChild;
  if (!(resource instanceof CfnRestApi)) throw new Error("no AWS::ApiGateway::RestApi behind the construct");
  resource.securityPolicy = SecurityPolicy.TLS13_1_2_PFS_PQ_2025_09;
  resource.endpointAccessMode = EndpointAccessMode.BASIC;
}

/** The function answers for itself, status and headers included. */
function integration(target: IFunction): Integration {
  return new AwsIntegration({
    proxy: true,
    service: "lambda",
    path: `2015-03-31/functions/${target.functionArn}/invocations`,
    options: { timeout: Duration.seconds(29) },
  });
}

interface RoutesProps {
  readonly api: RestApi;
  /** How callers are known on all routes but the open ones. */
  readonly guarded: MethodOptions;
  readonly read: Integration;
  readonly lifecycle: Integration;
}

class Routes {
  private readonly props: RoutesProps;
  private readonly validator: RequestValidator;
  private readonly models = new Map<string, IModel>();
  private readonly resources = new Set<IResource>();

  constructor(props: RoutesProps) {
    this.props = props;
    this.validator = props.api.addRequestValidator("Validator", {
      validateRequestBody: true,
      validateRequestParameters: true,
    });
  }

  add(route: ApiRoute): void {
    const { api, guarded, read, lifecycle } = this.props;
    const resource = api.root.resourceForPath(route.resource);
    for (let one: IResource | undefined = resource; one !== undefined; one = one.parentResource)
      this.resources.add(one);
    const method = resource.addMethod(route.method, route.method === "GET" ? read : lifecycle, {
      ...(route.open ? { authorizationType: AuthorizationType.NONE } : guarded),
      requestValidator: this.validator,
      requestParameters: parametersOf(route),
      ...(route.body !== null && { requestModels: { "application/json": this.model(route.body) } }),
    });
    if (route.open) acknowledge(method, openRoute);
  }

  /** What the document does not name: another method on a known path, or a path that is none. */
  addRest(): void {
    const { api, guarded, read } = this.props;
    const rest = api.root.addResource("{proxy+}");
    for (const resource of [...this.resources, rest]) resource.addMethod("ANY", read, guarded);
  }

  private model(name: string): IModel {
    const known = this.models.get(name);
    if (known !== undefined) return known;
    const made = this.props.api.addModel(name, { contentType: "application/json", schema: draft4(bodySchema(name)) });
    this.models.set(name, made);
    return made;
  }
}

function parametersOf(route: ApiRoute): Record<string, boolean> {
  const inPath = [...route.resource.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => [
    `method.request.path.${name}`,
    true,
  ]);
  const inQuery = route.query.map((name) => [`method.request.querystring.${name}`, false]);
  return Object.fromEntries<boolean>(
    [...inPath, ...inQuery].map(([name, required]) => [String(name), required === true]),
  );
}

/** Who calls, and why no Cognito user pool knows them. */
const callers: Readonly<Record<DoorKind, string>> = {
  key: "Callers are programs with API keys of this platform, which a Lambda authorizer checks; there are no users to sign in.",
  iam: "Callers are AWS roles, which API Gateway knows by their signature (SigV4).",
};

const why = "Open by contract: it says that the service is up, or how to use it, and nothing of anybody.";
const openRoute = { "AwsSolutions-APIG4": why };
