import type { NetworkAnswer } from "#contracts/control/network.ts";
import { table } from "../output.ts";

const meanings: Record<NetworkAnswer["mode"], string> = {
  "deny-all": "nothing is let out",
  "allow-list": "only what a rule names is let out",
  "allow-all-but": "every public address is let out, except what a rule names",
  observe: "every public address is let out; rules change nothing",
};

export function networkText(policy: NetworkAnswer): string {
  const { mode, version, source, rules, aws } = policy;
  const lines = [`${mode} (version ${version}, from ${source}): ${meanings[mode]}`];
  if (!policy.env_secrets) lines.push("secrets are delivered by broker only");
  if (rules.length > 0) {
    const rows = rules.map((rule) => [
      rule.host ?? rule.cidr ?? "",
      rule.ports?.join(",") ?? (mode === "allow-list" ? "80,443" : "all"),
      rule.methods?.join(",") ?? "",
      rule.paths?.join(",") ?? "",
      rule.inspect === true ? "yes" : "",
    ]);
    lines.push("", table(["RULE", "PORTS", "METHODS", "PATHS", "INSPECT"], rows));
  }
  for (const { actions, resources } of aws) lines.push("", `AWS ${actions.join(", ")} on ${resources.join(", ")}`);
  return lines.join("\n");
}
