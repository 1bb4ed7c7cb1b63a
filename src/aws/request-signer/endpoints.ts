/** What a host of AWS is: how requests to it are signed, and what its actions are called in policies. */
export interface AwsEndpoint {
  /** Name and region in the signature's scope. */
  readonly service: string;
  readonly region: string;
  /** What stands before the colon of its actions. */
  readonly actions: string;
  /** Of an API of API Gateway, which answers whoever its owner lets in: the first label of its host. Else null. */
  readonly apiId: string | null;
}

/** Names of services whose host, signature and actions are not called alike. */
const named: ReadonlyMap<string, { readonly signing?: string; readonly actions?: string }> = new Map(
  Object.entries({
    "api.ecr": { signing: "ecr" },
    "api.sagemaker": { signing: "sagemaker" },
    "runtime.sagemaker": { signing: "sagemaker" },
    "streams.dynamodb": { signing: "dynamodb" },
    "bedrock-agent": { signing: "bedrock" },
    "bedrock-agent-runtime": { signing: "bedrock" },
    "bedrock-runtime": { signing: "bedrock" },
    ddb: { signing: "dynamodb" },
    email: { signing: "ses" },
    monitoring: { actions: "cloudwatch" },
    queue: { signing: "sqs" },
    "s3-accesspoint": { signing: "s3" },
    "s3-control": { signing: "s3" },
    "sync-states": { signing: "states" },
    transcribestreaming: { signing: "transcribe" },
  }),
);

/** Hosts of these have labels of their own before the service: an account, an API, an access point. */
const prefixed: ReadonlySet<string> = new Set([
  "ddb",
  "execute-api",
  "s3-accesspoint",
  "s3-control",
  "s3-object-lambda",
]);

/** Of the usual partition, without a region in the name; signed for this one. */
const global: ReadonlyMap<string, string> = new Map([
  ["cloudfront", "us-east-1"],
  ["queue", "us-east-1"],
  ["route53", "us-east-1"],
]);

/** Nothing is ever signed for these. */
const neverSigned: ReadonlySet<string> = new Set(["iam", "sts"]);

const region = "[a-z]{2,4}(?:-[a-z]+)+-\\d{1,2}";
const regionPattern = new RegExp(`^${region}$`);
const s3Pattern = new RegExp(`^(?:.+\\.)?s3(?:-fips)?(?:[.-](?:dualstack\\.)?(${region}))?$`);

/**
 * The endpoint that a host is, for a deployment in `home`: hosts of its partition only, where its role is known. Hosts that serve what
 * anybody may have put there (function URLs, AppSync, search domains, load balancers) are none: who answers there may not be AWS.
 * @returns undefined for a host that nothing is signed for
 */
export function endpointOf(host: string, home: string): AwsEndpoint | undefined {
  const found = find(host.toLowerCase().replace(/\.$/, ""), home);
  return found === undefined || isGov(found.region) !== isGov(home) ? undefined : found;
}

function find(host: string, home: string): AwsEndpoint | undefined {
  const suffix = suffixes(home).find((one) => host.endsWith(one));
  if (suffix === undefined) return undefined;
  const rest = host.slice(0, -suffix.length);
  const s3 = s3Pattern.exec(rest);
  if (s3 !== null) return endpoint("s3", s3[1] ?? globalRegion(home));
  const labels = rest.split(".").filter((label) => label !== "dualstack");
  const last = labels.at(-1) ?? "";
  if (labels.length === 1) {
    const where = global.get(last);
    return where === undefined ? undefined : endpoint(last, where);
  }
  if (regionPattern.test(last)) return regional(labels.slice(0, -1), last);
  // SQS as it was called first: <region>.queue.
  const [first = ""] = labels;
  return labels.length === 2 && last === "queue" && regionPattern.test(first) ? endpoint(last, first) : undefined;
}

function regional(labels: readonly string[], where: string): AwsEndpoint | undefined {
  const service = (labels.at(-1) ?? "").replace(/-fips$/, "");
  const [first = ""] = labels;
  if (service === "execute-api") return labels.length === 2 ? { ...endpoint(service, where), apiId: first } : undefined;
  if (labels.length === 1 || prefixed.has(service))
    return neverSigned.has(service) ? undefined : endpoint(service, where);
  const both = `${first}.${service}`;
  return labels.length === 2 && named.has(both) ? endpoint(both, where) : undefined;
}

function endpoint(name: string, where: string): AwsEndpoint {
  const { signing: service = name, actions = service } = named.get(name) ?? {};
  return { service, region: where, actions, apiId: null };
}

function suffixes(home: string): readonly string[] {
  if (home.startsWith("cn-")) return [".amazonaws.com.cn", ".api.amazonwebservices.com.cn"];
  if (home.startsWith("eusc-")) return [".amazonaws.eu", ".api.amazonwebservices.eu"];
  return [".amazonaws.com", ".api.aws"];
}

function isGov(where: string): boolean {
  return where.startsWith("us-gov-");
}

/** Where S3's name without a region leads. */
function globalRegion(home: string): string {
  if (home.startsWith("cn-")) return "cn-north-1";
  return isGov(home) ? "us-gov-west-1" : "us-east-1";
}
