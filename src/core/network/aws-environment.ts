/**
 * Variables for a sandbox that may call AWS. SDKs refuse to begin without credentials: these are none, and whatever is signed with them
 * is signed anew at the proxy. The metadata service is named as absent, for they would wait for it otherwise.
 */
export function awsEnvironment(region: string): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: "BULKHEADSIGNSATPROXY",
    AWS_SECRET_ACCESS_KEY: "no-secret-here-requests-are-signed-outside",
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: "true",
  };
}
