import { Match, Template } from "aws-cdk-lib/assertions";
import { JsonSchemaType } from "aws-cdk-lib/aws-apigateway";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { errorRegistry } from "#contracts/errors.ts";
import document from "../../docs/openapi.json" with { type: "json" };
import { draft4 } from "../../infra/constructs/api/draft4.ts";
import { apiRoutes, bodySchema, stageNames } from "../../infra/constructs/api/routes.ts";
import { answersOf, type DoorName, servedBy } from "./support/api.ts";
import { controlPlane } from "./support/control-plane.ts";

const template = Template.fromStack(controlPlane().stack);
const doors: readonly DoorName[] = ["KeyDoor", "IamDoor"];
const expected = { KeyDoor: "CUSTOM", IamDoor: "AWS_IAM" } as const;

describe("the table of routes", () => {
  it("has every operation of the document, each below a stage that leads to it", () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(apiRoutes.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(operations.sort());
    for (const { path, stage, resource } of apiRoutes) {
      expect(`/${stage}${resource}`.replace(/\/$/, "")).toBe(path);
      expect(stageNames).toContain(stage);
    }
  });

  it("has two open routes", () => {
    expect(apiRoutes.filter(({ open }) => open).map(({ path }) => path)).toEqual(["/health", "/v1/openapi.json"]);
  });
});

describe.each(doors)("%s", (door) => {
  const served = servedBy(template, door);

  it.each(apiRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))("serves %s", (_name, route) => {
    const found = served.filter(({ method, resource }) => method === route.method && resource === route.resource);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({
      authorization: route.open ? "NONE" : expected[door],
      target: route.method === "GET" ? "read" : "lifecycle",
      validated: true,
      timeoutMs: 29_000,
    });
    expect(found[0]?.model !== undefined).toBe(route.body !== null);
    for (const [name] of route.resource.matchAll(/(?<=\{)\w+(?=\})/g)) {
      expect(found[0]?.parameters).toMatchObject({ [`method.request.path.${name}`]: true });
    }
  });

  it("asks who calls, on everything but the two open routes", () => {
    const open = served.filter(({ authorization }) => authorization === "NONE");
    expect(open.map(({ method, resource }) => `${method} ${resource}`).sort()).toEqual(["GET /", "GET /openapi.json"]);
    const guarded = served.filter(({ authorization }) => authorization !== "NONE");
    expect(new Set(guarded.map(({ authorization }) => authorization))).toEqual(new Set([expected[door]]));
    const authorizers = new Set(guarded.map(({ authorizer }) => authorizer));
    expect(authorizers.size).toBe(1);
    expect([...authorizers][0] === undefined).toBe(door === "IamDoor");
  });

  it("answers whatever else is asked by the function that reads: any method, any path", () => {
    const paths = new Set(served.map(({ resource }) => resource));
    expect(paths).toContain("/{proxy+}");
    for (const path of paths) {
      const any = served.filter(({ method, resource }) => method === "ANY" && resource === path);
      expect(any, path).toHaveLength(1);
      expect(any[0]?.target).toBe("read");
    }
    // Also those that only lead to others.
    const all = Object.values(
      template.findResources("AWS::ApiGateway::Resource", {
        Properties: { RestApiId: { Ref: Match.stringLikeRegexp(door) } },
      }),
    );
    expect(paths.size).toBe(all.length + 1);
  });

  it("serves each stage with an access log, throttles and metrics, without execution logs", () => {
    for (const stage of stageNames) {
      template.hasResourceProperties("AWS::ApiGateway::Stage", {
        StageName: stage,
        RestApiId: { Ref: Match.stringLikeRegexp(door) },
        AccessLogSetting: Match.objectLike({ DestinationArn: Match.anyValue() }),
        MethodSettings: Match.arrayWith([
          Match.objectLike({
            HttpMethod: "*",
            ResourcePath: "/*",
            LoggingLevel: "OFF",
            DataTraceEnabled: false,
            MetricsEnabled: true,
            ThrottlingRateLimit: 200,
            ThrottlingBurstLimit: 400,
          }),
        ]),
      });
    }
    template.hasResourceProperties("AWS::ApiGateway::Stage", {
      StageName: "v1",
      RestApiId: { Ref: Match.stringLikeRegexp(door) },
      MethodSettings: Match.arrayWith([
        Match.objectLike({
          HttpMethod: "POST",
          ResourcePath: "/~1sandboxes",
          ThrottlingRateLimit: 20,
          ThrottlingBurstLimit: 100,
          LoggingLevel: "OFF",
          MetricsEnabled: true,
        }),
      ]),
    });
  });

  it("is Regional, compresses nothing and takes no TLS below 1.2", () => {
    template.hasResourceProperties("AWS::ApiGateway::RestApi", {
      Name: door === "KeyDoor" ? "bulkhead-key" : "bulkhead-iam",
      EndpointConfiguration: { Types: ["REGIONAL"] },
      SecurityPolicy: "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09",
      EndpointAccessMode: "BASIC",
      MinimumCompressionSize: Match.absent(),
      Policy: Match.absent(),
    });
  });

  describe("answers for itself", () => {
    const answers = answersOf(template, door);
    const bodySchemaOfErrors = z.object({
      error: z.object({ code: z.string(), message: z.string(), request_id: z.string(), details: z.object({}) }),
      code: z.string(),
      message: z.string().min(10),
      request_id: z.literal("$context.requestId"),
      retryable: z.boolean(),
      details: z.record(z.string(), z.unknown()),
    });
    const bodyOf = (type: string) =>
      bodySchemaOfErrors.parse(JSON.parse(answers.get(type)?.ResponseTemplates["application/json"] ?? ""));

    it.each([...answers.keys()])("%s as clients parse errors, with the status of its code", (type) => {
      const body = bodyOf(type);
      expect(body.error.code).toBe(body.code);
      expect(answers.get(type)?.ResponseParameters).toMatchObject({
        "gatewayresponse.header.X-Request-ID": "context.requestId",
      });
      if (type.startsWith("DEFAULT") || body.code.startsWith("$")) return;
      const status = Object.entries(errorRegistry).find(([code]) => code === body.code)?.[1].status;
      expect(answers.get(type)?.StatusCode).toBe(String(status));
    });

    it("repeats nothing of the request: only its id and what the authorizer said", () => {
      for (const { ResponseTemplates } of answers.values()) {
        const variables = new Set(ResponseTemplates["application/json"].match(/\$[\w.]+/g));
        for (const name of ["$context.requestId", "$context.authorizer.code", "$context.authorizer.message"])
          variables.delete(name);
        expect([...variables]).toEqual([]);
      }
    });

    it("who is throttled hears when to come back", () => {
      expect(answers.get("THROTTLED")).toMatchObject({
        StatusCode: "429",
        ResponseParameters: { "gatewayresponse.header.Retry-After": "'2'" },
      });
      expect(bodyOf("THROTTLED").details).toEqual({ retry_after_seconds: 2 });
    });

    it("who is refused hears it in the words of the authorizer, or of the door", () => {
      const refused = answers.get("ACCESS_DENIED");
      if (door === "KeyDoor") {
        expect(refused?.StatusCode).toBe("401");
        expect(bodyOf("ACCESS_DENIED")).toMatchObject({
          code: "$context.authorizer.code",
          error: { code: "$context.authorizer.code", message: "$context.authorizer.message" },
        });
      } else {
        expect(refused?.StatusCode).toBe("403");
        expect(answers.get("MISSING_AUTHENTICATION_TOKEN")?.StatusCode).toBe("401");
      }
    });
  });
});

describe("the authorizer", () => {
  it("is asked for every request: nothing is remembered, nothing is expected beforehand", () => {
    template.hasResourceProperties("AWS::ApiGateway::Authorizer", {
      Type: "REQUEST",
      AuthorizerResultTtlInSeconds: 0,
      IdentitySource: Match.absent(),
    });
  });
});

describe("the access log", () => {
  const formats = Object.values(template.findResources("AWS::ApiGateway::Stage")).map(
    (stage) =>
      z.object({ Properties: z.object({ AccessLogSetting: z.object({ Format: z.string() }) }) }).parse(stage).Properties
        .AccessLogSetting.Format,
  );

  it("is JSON that says who asked for which route and how it came out", () => {
    expect(formats).toHaveLength(6);
    for (const format of formats) {
      expect(JSON.parse(format)).toMatchObject({
        ip: "$context.identity.sourceIp",
        route: "$context.resourcePath",
        status: "$context.status",
      });
    }
  });

  it("holds no header, query, path or body", () => {
    for (const format of formats)
      expect(format).not.toMatch(/header|querystring|\$context\.path|\$input|apiKey\b|accessKey/i);
  });

  it("can be written: the account's role for it exists before the stages", () => {
    template.resourceCountIs("AWS::ApiGateway::Account", 1);
    const [account = ""] = Object.keys(template.findResources("AWS::ApiGateway::Account"));
    for (const stage of Object.values(template.findResources("AWS::ApiGateway::Stage"))) {
      expect(z.object({ DependsOn: z.array(z.string()) }).parse(stage).DependsOn).toContain(account);
    }
  });
});

describe("permission to call the functions", () => {
  it("is one per door and function, for that door alone", () => {
    const permissions = Object.values(
      template.findResources("AWS::Lambda::Permission", { Properties: { Principal: "apigateway.amazonaws.com" } }),
    );
    // Two doors, two functions, and the authorizer.
    expect(permissions).toHaveLength(5);
    for (const permission of permissions)
      expect(JSON.stringify(permission)).toMatch(/"SourceArn".*(KeyDoor|IamDoor)Api/);
  });
});

describe("bodies", () => {
  it("are checked by every schema of the document that a route takes", () => {
    const names = new Set(apiRoutes.flatMap(({ body }) => (body === null ? [] : [body])));
    expect(names.size).toBeGreaterThan(2);
    for (const name of names) {
      expect(draft4(bodySchema(name))).toMatchObject({
        schema: "http://json-schema.org/draft-04/schema#",
        type: "object",
      });
    }
    template.resourceCountIs("AWS::ApiGateway::Model", names.size * 2);
  });

  it("keep what draft 4 can say, and leave the rest to the function", () => {
    const schema = {
      type: "object",
      properties: { n: { type: ["integer", "null"], minimum: 1, exclusiveMaximum: 9 }, kind: { const: "a" } },
      required: ["n"],
      additionalProperties: { type: "string", format: "email" },
    };
    expect(draft4(schema)).toEqual({
      schema: "http://json-schema.org/draft-04/schema#",
      type: JsonSchemaType.OBJECT,
      properties: { n: { type: ["integer", "null"], minimum: 1 }, kind: { enum: ["a"] } },
      required: ["n"],
      additionalProperties: { type: "string" },
    });
  });

  it("do not lose a keyword that nobody has thought of", () => {
    expect(() => draft4({ type: "object", patternProperties: {} })).toThrow(/patternProperties/);
  });
});

describe("the web application firewall", () => {
  const guarded = Template.fromStack(controlPlane({ waf: true }).stack);

  it("is an option", () => {
    template.resourceCountIs("AWS::WAFv2::WebACL", 0);
    guarded.resourceCountIs("AWS::WAFv2::WebACL", 1);
    guarded.resourceCountIs("AWS::WAFv2::WebACLAssociation", 6);
  });

  it("limits addresses, and does not take code in bodies for an attack", () => {
    guarded.hasResourceProperties("AWS::WAFv2::WebACL", {
      Rules: Match.arrayWith([
        Match.objectLike({
          Statement: {
            ManagedRuleGroupStatement: Match.objectLike({
              Name: "AWSManagedRulesCommonRuleSet",
              RuleActionOverrides: Match.arrayWith([{ Name: "SizeRestrictions_BODY", ActionToUse: { Count: {} } }]),
            }),
          },
        }),
        Match.objectLike({
          Action: { Block: {} },
          Statement: { RateBasedStatement: { AggregateKeyType: "IP", Limit: 3000 } },
        }),
      ]),
    });
  });

  it("logs without keys", () => {
    guarded.hasResourceProperties("AWS::WAFv2::LoggingConfiguration", {
      RedactedFields: [
        { SingleHeader: { Name: "authorization" } },
        { SingleHeader: { Name: "x-api-key" } },
        { QueryString: {} },
      ],
    });
    guarded.hasResourceProperties("AWS::Logs::LogGroup", {
      LogGroupName: "aws-waf-logs-bulkhead-api",
      KmsKeyId: Match.anyValue(),
    });
  });
});
