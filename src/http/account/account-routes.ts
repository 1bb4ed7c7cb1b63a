import type { Permission } from "#contracts/access.ts";
import { BulkheadError } from "#contracts/errors.ts";
import { readJsonBody } from "../body.ts";
import type { AccountFacts, ControlDependencies } from "../dependencies.ts";
import { type ControlContext, principalOf, requestContext } from "../request-state.ts";
import type { Handler, RouteSpec, Routes } from "../routes.ts";
import { usageOf } from "./usage.ts";

const tag = "Account";
type Method = RouteSpec["method"];

/** Routes of the contract's §3.8 beside the keys: what the `hopx` command line asks of an account. A deployment is one organization. */
export function addAccountRoutes(routes: Routes, deps: ControlDependencies, account: AccountFacts): void {
  const add = (method: Method, path: string, summary: string, handler: Handler, needs?: Permission) => {
    routes.add({ method, path, summary, tag, ...(needs !== undefined && { needs }) }, handler);
  };
  addOrganization(add, deps, account);
  addUsage(add, deps, account);
  addBilling(add);
  const elsewhere =
    "Who may use this deployment is decided by its API keys and, on AWS, by IAM roles. Make a key with POST /auth/api-keys.";
  for (const [method, path, what] of [
    ["put", "/auth/organization", "Rename the organization"],
    ["put", "/auth/profile", "Change the profile"],
    ["post", "/auth/members/invite", "Invite a member"],
    ["delete", "/auth/members/{id}", "Remove a member"],
    ["post", "/auth/workos-callback", "Log in with a browser"],
    ["post", "/auth/refresh", "Renew a browser login"],
  ] as const) {
    add(method, path, `${what}: not here`, () => {
      throw new BulkheadError("CONFLICT", `${what}: not here. ${elsewhere}`, { details: { supported: false } });
    });
  }
}

type Add = (method: Method, path: string, summary: string, handler: Handler, needs?: Permission) => void;

function addOrganization(add: Add, { config }: ControlDependencies, account: AccountFacts): void {
  const id = String(config.organizationId);
  const roleOf = (c: ControlContext) => (principalOf(c).scopes.includes("admin") ? "owner" : "member");
  const own = (c: ControlContext) => ({ id, name: account.organization, role: roleOf(c) });
  const me = (c: ControlContext) => {
    const { keyId } = principalOf(c);
    return { user_id: keyId, email: "", first_name: keyId, last_name: "", avatar_url: null, role: roleOf(c) };
  };
  add("get", "/auth/organization", "The organization", (c) =>
    // When a deployment was made is not kept.
    c.json({ ...own(c), slug: account.organization.toLowerCase(), plan_id: "self-hosted", created_at: null }),
  );
  add("get", "/auth/user/organizations", "Organizations of the caller", (c) => c.json({ data: [own(c)] }));
  add("post", "/auth/organization/switch", "There is one organization", async (c) => {
    const body = await readJsonBody(c.req);
    const asked = typeof body === "object" && body !== null && "organization_id" in body ? body.organization_id : null;
    if (String(asked) !== id) throw new BulkheadError("RESOURCE_NOT_FOUND", `The only organization here is ${id}.`);
    return c.json({ success: true });
  });
  add("get", "/auth/me", "Who the caller is: an API key", (c) =>
    c.json({ ...me(c), organization_id: config.organizationId }),
  );
  add("get", "/auth/members", "Members: the caller's key", (c) => {
    const { user_id: key, ...rest } = me(c);
    return c.json({ data: [{ id: key, ...rest, status: "active" }] });
  });
}

function addUsage(add: Add, { platform, config }: ControlDependencies, account: AccountFacts): void {
  const plan = { id: "self-hosted", name: "Self-hosted", description: "Your own deployment: its limits are yours." };
  const limits = {
    max_concurrent_sandboxes: account.maxSandboxes,
    ...{ max_total_vcpu: null, max_total_memory_mb: null, max_total_disk_gb: null },
    ...{ max_vcpu_per_sandbox: null, max_memory_mb_per_sandbox: null, max_disk_gb_per_sandbox: null },
  };
  const usage: Handler = async (c) => {
    const context = requestContext(c, config.sourceIp ?? (() => null));
    return c.json({ plan, limits, current_usage: await usageOf(platform, principalOf(c), context) });
  };
  add("get", "/auth/usage", "Limits and what is in use", usage, "sandboxes:read");
  add("get", "/auth/plans", "The one plan", (c) =>
    c.json({
      plans: [{ ...plan, is_current: true, ...limits, upgrade_requirement: null }],
      total_spent: 0,
    }),
  );
  // Nothing is kept of the past: empty, and not zero.
  for (const what of ["sandboxes", "cost", "resources"]) {
    add("get", `/auth/usage/history/${what}`, "No history is kept", (c) => c.json({ data: [] }));
  }
}

/** Says plainly that there is none. */
function addBilling(add: Add): void {
  const message = "This deployment does not bill. What it costs you is on your provider's invoice.";
  add("get", "/auth/billing/credit/balance", "There is no billing", (c) =>
    c.json({ balance_cents: 0, balance_usd: 0, currency: "usd", message }),
  );
  add("get", "/auth/billing/history", "There is no billing", (c) => c.json({ transactions: [], message }));
  add("get", "/auth/billing/invoices", "There is no billing", (c) => c.json({ invoices: [], message }));
  add("get", "/auth/billing/auto-recharge", "There is no billing", (c) =>
    c.json({
      ...{ enabled: false, threshold_cents: 0, recharge_to_cents: 0, monthly_limit_cents: 0 },
      ...{ current_month_recharged_cents: 0, message },
    }),
  );
}
