import { parseArgs } from "node:util";

export const help = `npm run smoke -- --url URL (--key-secret NAME | --key-env VAR) [options]

Tells the client story against a deployment with the published @hopx-ai/sdk, tries every way out of a sandbox that should be
closed, and measures what a caller can measure. Nothing is left behind: every sandbox it makes is killed.

  --url URL            key door of the API (output ApiUrl), or http://127.0.0.1:8080 of a platform on one machine
  --key-secret NAME    Secrets Manager secret that holds an API key (AWS credentials needed)
  --key-env VAR        environment variable that holds an API key
  --template NAME      default base
  --creates N          creates to time, one after the other; default 5
  --gateway URL        address of the gateway: also ask it for its health
  --aws                also look at the account: task times, security-group lag, quotas, mount targets (AWS credentials needed)
  --deployment NAME    name of the deployment, default bulkhead; used with --aws
  --region REGION      default AWS_REGION, else us-east-1
  --bucket NAME        a public S3 bucket of somebody else that a sandbox must not read; default noaa-ghcn-pds
  --nfs ADDRESS        address of a mount target, may be repeated; --aws finds them by itself
  --json FILE          write every row as JSON
  --help

Exit code 1 when a step failed or a way out was open.`;

export interface SmokeOptions {
  readonly url: string;
  readonly key: { readonly secret: string } | { readonly variable: string };
  readonly template: string;
  readonly creates: number;
  readonly gateway: string | undefined;
  readonly aws: boolean;
  readonly deployment: string;
  readonly region: string;
  readonly bucket: string;
  readonly nfs: readonly string[];
  readonly json: string | undefined;
}

/** @returns undefined when help was asked for @throws Error that says which option is wrong */
export function readOptions(args: readonly string[], environment: NodeJS.ProcessEnv): SmokeOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: { type: "string" },
      "key-secret": { type: "string" },
      "key-env": { type: "string" },
      template: { type: "string", default: "base" },
      creates: { type: "string", default: "5" },
      gateway: { type: "string" },
      aws: { type: "boolean", default: false },
      deployment: { type: "string", default: "bulkhead" },
      region: { type: "string", default: environment["AWS_REGION"] ?? "us-east-1" },
      bucket: { type: "string", default: "noaa-ghcn-pds" },
      nfs: { type: "string", multiple: true, default: [] },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  if (values.url === undefined) throw new Error("--url is missing: the key door of the API");
  const secret = values["key-secret"];
  const variable = values["key-env"];
  if ((secret === undefined) === (variable === undefined)) throw new Error("give --key-secret NAME or --key-env VAR");
  const creates = Number(values.creates);
  if (!Number.isInteger(creates) || creates < 0) throw new Error("--creates: a whole number is wanted");
  const { template, gateway, aws, deployment, region, bucket, nfs, json } = values;
  return {
    // The client adds /v1 itself.
    url: values.url.replace(/\/+$/, "").replace(/\/v1$/, ""),
    key: secret === undefined ? { variable: variable ?? "" } : { secret },
    ...{ template, creates, gateway, aws, deployment, region, bucket, nfs, json },
  };
}
