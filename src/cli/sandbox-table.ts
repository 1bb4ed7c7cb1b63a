import { span, table } from "./output.ts";
import type { SandboxView } from "./sandbox-view.ts";

/** One line for each sandbox: how old it is, when it ends, and how long nothing was done with it. */
export function sandboxTable(sandboxes: readonly SandboxView[], now: number): string {
  if (sandboxes.length === 0) return "No sandboxes.";
  const rows = sandboxes.map((sandbox) => [
    sandbox.id,
    sandbox.status,
    sandbox.template_name,
    span(now - Date.parse(sandbox.created_at)),
    sandbox.status === "deleted" ? (sandbox.end_reason ?? "-") : span(Date.parse(sandbox.expires_at) - now),
    sandbox.status === "running" ? span(now - Date.parse(sandbox.last_activity_at)) : "-",
  ]);
  return table(["ID", "STATUS", "TEMPLATE", "AGE", "ENDS IN", "IDLE"], rows);
}

/** What is known of one, a line for each fact. */
export function sandboxFacts(sandbox: SandboxView, now: number): string {
  const { resources, enforced } = sandbox;
  const inTime = (time: string): string => {
    const left = Date.parse(time) - now;
    return left >= 0 ? `in ${span(left)}` : `${span(-left)} ago`;
  };
  const facts: readonly (readonly [string, string])[] = [
    ["id", sandbox.id],
    ["status", sandbox.status + (sandbox.end_reason === null ? "" : ` (${sandbox.end_reason})`)],
    ["template", sandbox.template_name],
    ["resources", `${resources.vcpu} vCPU, ${resources.memory_mb} MB memory, ${resources.disk_mb} MB disk`],
    ["internet", sandbox.internet_access ? "yes" : "no"],
    ["created", `${sandbox.created_at} (${inTime(sandbox.created_at)})`],
    ["ends", `${sandbox.end_at} (${inTime(sandbox.end_at)})`],
    [
      "idle",
      `${span(now - Date.parse(sandbox.last_activity_at))}, ends after ${span(sandbox.idle_timeout_seconds * 1000)}`,
    ],
    ["billed", sandbox.compute_billed === undefined ? "-" : sandbox.compute_billed ? "yes" : "no"],
    ["agent", sandbox.public_host],
    ["preview", sandbox.preview_url],
    [
      "enforced",
      Object.entries(enforced ?? {})
        .map(([limit, by]) => `${limit} by ${by}`)
        .join(", ") || "-",
    ],
  ];
  return facts.map(([name, value]) => `${name.padEnd(10)} ${value}`).join("\n");
}
