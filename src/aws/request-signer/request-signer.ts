import { Sha256 } from "@smithy/core/checksum";
import { HttpRequest } from "@smithy/core/protocols";
import { SignatureV4 } from "@smithy/signature-v4";
import type { AwsGrantBody } from "#contracts/control/network.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { sessionPolicy } from "#core/network/session-policy.ts";
import { concern } from "./covers.ts";
import { endpointOf } from "./endpoints.ts";
import { payloadHash } from "./payload.ts";
import { makeRoleSessions, type RoleSessionsDeps } from "./role-sessions.ts";
import { readTarget } from "./target.ts";

type Pairs = readonly (readonly [string, string])[];

/** As src/egress/ports.ts has them. */
export interface SignableRequest {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly headers: Pairs;
  readonly body: Buffer | null;
}

export interface SignedRequest {
  readonly target: string;
  readonly headers: Pairs;
}

export interface AwsRequestSigner {
  covers(grants: readonly AwsGrantBody[], host: string): boolean;
  sign(
    identity: { readonly sandboxId: string; readonly projectId: string },
    grants: readonly AwsGrantBody[],
    request: SignableRequest,
  ): Promise<SignedRequest>;
}

/** What signed a request inside; all of it goes. */
const ownSignature: ReadonlySet<string> = new Set([
  "authorization",
  "date",
  "x-amz-content-sha256",
  "x-amz-date",
  "x-amz-region-set",
  "x-amz-s3session-token",
  "x-amz-security-token",
]);
/** The S3 family signs a path as it is encoded, everything else encodes it once more. */
const encodedOnce: ReadonlySet<string> = new Set(["s3", "s3-object-lambda", "s3-outposts"]);
/** Signed beside every `x-amz-…`. What hops in between may change is not. */
const signed: ReadonlySet<string> = new Set(["host", "content-type", "content-md5"]);

/**
 * Signs requests for AWS (SigV4) as a session of the deployment's access role that is named after the sandbox and may do what its grants
 * say. Whatever signed the request before is dropped, a presigned address's signature as well: to these hosts a sandbox speaks for
 * nobody else, so credentials from outside cannot carry its data into another account.
 */
export function makeRequestSigner(deps: RoleSessionsDeps): AwsRequestSigner {
  const sessionFor = makeRoleSessions(deps);

  function endpointFor(grants: readonly AwsGrantBody[], host: string) {
    const endpoint = endpointOf(host, deps.region);
    return endpoint !== undefined && concern(grants, endpoint) ? endpoint : undefined;
  }

  return {
    covers: (grants, host) => endpointFor(grants, host) !== undefined,
    async sign(identity, grants, { method, host, target, headers, body }) {
      const endpoint = endpointFor(grants, host);
      if (endpoint === undefined) throw new BulkheadError("PERMISSION_DENIED", `No AWS grant concerns ${host}.`);
      const { service, region } = endpoint;
      const isS3 = encodedOnce.has(service);
      const { toSign, passed } = split(headers);
      const hash = payloadHash({ service, method, body, headers: merged(headers) });
      const { path, query, text } = readTarget(target, isS3);
      const { accessKeyId, secretAccessKey, sessionToken } = await sessionFor(identity, sessionPolicy(grants));
      const signer = new SignatureV4({
        service,
        region,
        credentials: { accessKeyId, secretAccessKey, sessionToken },
        sha256: Sha256,
        uriEscapePath: !isS3,
      });
      const request = new HttpRequest({
        method,
        protocol: "https:",
        hostname: host,
        path,
        query: { ...query },
        headers: { ...toSign, host, "x-amz-content-sha256": hash },
      });
      const done = await signer.sign(request, { signingDate: new Date(deps.clock.now()) });
      return { target: text, headers: [...Object.entries(done.headers), ...passed] };
    },
  };
}

function split(headers: Pairs): { readonly toSign: Record<string, string>; readonly passed: Pairs } {
  const kept = headers.filter(([name]) => !ownSignature.has(name.toLowerCase()) && name.toLowerCase() !== "host");
  const isSigned = (name: string) => signed.has(name) || name.startsWith("x-amz-");
  return {
    toSign: Object.fromEntries(merged(kept.filter(([name]) => isSigned(name.toLowerCase())))),
    passed: kept.filter(([name]) => !isSigned(name.toLowerCase())),
  };
}

/** By name in lower case; one that is sent twice is one with a comma, as the signature sees it. */
function merged(headers: Pairs): ReadonlyMap<string, string> {
  const all = new Map<string, string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    const before = all.get(lower);
    all.set(lower, before === undefined ? value.trim() : `${before},${value.trim()}`);
  }
  return all;
}
