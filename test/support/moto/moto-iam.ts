import { ensureMoto } from "../../../scripts/ensure-moto.mjs";
import { startPythonServer } from "../python-server.ts";

/** A moto that checks signatures (botocore computes them again) and policies, once it is told to. */
export interface IamMoto {
  readonly endpoint: string;
  /** The Python that has moto, and so boto3. */
  readonly python: string;
  /** From now on every request needs a signature and the right to do what it asks. */
  check(): Promise<void>;
  /** A call in AWS's Query protocol. @returns the answer's XML */
  query(service: string, parameters: Readonly<Record<string, string>>): Promise<string>;
  /** An empty PUT without a signature, before anything is checked. */
  put(path: string, host: string): Promise<void>;
  stop(): Promise<void>;
}

/** moto leaves session policies out: here a session may do what both its role and its own policy allow, as in AWS. */
const program = `
from moto.iam import access_control as ac
from moto.sts.models import sts_backends

checked = ac.IAMRequestBase.check_action_permitted

def check(self, resource):
    checked(self, resource)
    key = getattr(self._access_key, "_access_key_id", "")
    for role in sts_backends[self.account_id]["aws"].assumed_roles:
        if role.access_key_id == key and role.policy and self._action != "sts:GetCallerIdentity":
            if ac.IAMPolicy(role.policy).is_action_permitted(self._action, resource) != ac.PermissionResult.PERMITTED:
                self._raise_access_denied()

ac.IAMRequestBase.check_action_permitted = check

from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
`;

export async function startIamMoto(): Promise<IamMoto> {
  const python = await ensureMoto((line) => console.error(line));
  const server = await startPythonServer({ name: "moto", python, program });
  const { endpoint } = server;
  return {
    endpoint,
    python,
    stop: () => server.stop(),
    async check() {
      await ask("POST", `${endpoint}/moto-api/reset-auth`, "0", {});
    },
    async put(path, host) {
      await ask("PUT", `${endpoint}${path}`, "", { host, authorization: scopeOf("s3") });
    },
    query: (service, parameters) =>
      ask("POST", endpoint, new URLSearchParams(parameters).toString(), {
        "content-type": "application/x-www-form-urlencoded",
        authorization: scopeOf(service),
      }),
  };
}

/** Names the service, by which moto tells calls apart; signs nothing. */
function scopeOf(service: string): string {
  return `AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=none`;
}

async function ask(method: string, url: string, body: string, headers: Record<string, string>): Promise<string> {
  const answer = await fetch(url, { method, body, headers, signal: AbortSignal.timeout(30_000) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`moto answered ${answer.status} to ${url}: ${text}`);
  return text;
}
