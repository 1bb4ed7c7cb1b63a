import { describe, expect, it } from "vitest";
import type { EgressRow } from "#cli/egress/rows.ts";
import { portList } from "#cli/policy/ports.ts";
import { suggestPolicy } from "#cli/policy/suggest.ts";
import { networkPolicySchema } from "#contracts/control/network.ts";
import { aRow, pagesOf } from "../egress/rows.ts";
import { setUp } from "../support.ts";

const plain = { wildcards: false, includeDenied: false };
let ids = 0;
const to = (host: string, port = 443, changes: Partial<EgressRow> = {}) =>
  aRow(`c${++ids}`, { host, port, ...changes });
const seen = (method: string, inside: "http" | "https", requests = 1) => ({ method, inside, requests });
const denied = { decision: "deny", reason: "not on the sandbox's allow-list" } as const;

function rulesOf(rows: readonly EgressRow[], options: Partial<typeof plain> = {}) {
  const { policy } = suggestPolicy(rows, { ...plain, ...options });
  expect(networkPolicySchema.safeParse(policy).success).toBe(true);
  return policy.rules;
}

describe("a suggested policy", () => {
  it("has one rule for each host, with ports unless they are those of the web", () => {
    expect(
      rulesOf([to("b.example"), to("a.example", 80), to("a.example"), to("b.example"), to("git.example", 22)]),
    ).toEqual([{ host: "a.example" }, { host: "b.example", ports: [443] }, { host: "git.example", ports: [22] }]);
  });

  it("puts addresses into cidr, behind the names", () => {
    expect(rulesOf([to("203.0.113.7", 8443), to("2001:db8::1"), to("z.example", 80)])).toEqual([
      { host: "z.example", ports: [80] },
      { cidr: "2001:db8::1", ports: [443] },
      { cidr: "203.0.113.7", ports: [8443] },
    ]);
  });

  it("limits methods where every request was seen", () => {
    const rows = [
      to("a.example", 80, seen("GET", "http")),
      to("a.example", 80, seen("POST", "http")),
      to("b.example", 443, seen("GET", "https")),
      // The second request's method is not in the record.
      to("c.example", 80, seen("GET", "http", 2)),
      to("d.example", 80, seen("GET", "http")),
      to("d.example", 443),
    ];
    expect(rulesOf(rows)).toEqual([
      { host: "a.example", ports: [80], methods: ["GET", "POST"] },
      { host: "b.example", ports: [443], methods: ["GET"], inspect: true },
      { host: "c.example", ports: [80] },
      { host: "d.example", ports: [80], methods: ["GET"] },
      { host: "d.example", ports: [443] },
    ]);
  });

  it("leaves out what was refused, and says so; or takes it in, and says why it was", () => {
    const rows = [
      to("ok.example"),
      to("evil.example", 443, denied),
      to("ok.example", 443, denied),
      to("", 443, denied),
    ];
    expect(suggestPolicy(rows, plain)).toEqual({
      policy: { mode: "allow-list", rules: [{ host: "ok.example", ports: [443] }] },
      notes: ["left out, because refused (--include-denied adds them): evil.example:443"],
    });
    const all = suggestPolicy(rows, { ...plain, includeDenied: true });
    expect(all.policy.rules.map(({ host }) => host)).toEqual(["evil.example", "ok.example"]);
    expect(all.notes).toEqual(["evil.example:443 is in although it was refused: not on the sandbox's allow-list"]);
  });

  it("merges three and more names of one parent when asked", () => {
    const rows = [
      "a.cdn.example",
      "b.cdn.example",
      "c.cdn.example",
      "x.example",
      "y.example",
      "m.co.uk",
      "n.co.uk",
      "o.co.uk",
    ];
    const shared = ["a.github.io", "b.github.io", "c.github.io"];
    const all = [...rows, ...shared, "10.1.1.1", "10.2.1.1", "10.3.1.1"].map((host) => to(host));
    expect(rulesOf(all)).toHaveLength(14);
    const { policy, notes } = suggestPolicy([...all, to("a.cdn.example", 80)], { ...plain, wildcards: true });
    expect(policy.rules.filter(({ host }) => host?.startsWith("*"))).toEqual([{ host: "*.cdn.example" }]);
    expect(policy.rules).toHaveLength(12);
    expect(notes).toEqual([
      "*.cdn.example stands for 3 names, and allows every other one below cdn.example: a.cdn.example, b.cdn.example, c.cdn.example",
      "names below co.uk are not merged: anybody can have one",
      "names below github.io are not merged: anybody can have one",
    ]);
  });

  it("says what it cannot say, and when there is nothing", () => {
    const { policy, notes } = suggestPolicy([to("bad host"), to("a.example", 0)], plain);
    expect(policy.rules).toEqual([]);
    expect(notes).toHaveLength(2);
    expect(suggestPolicy([], plain).notes).toEqual(["nothing is recorded: the policy lets nothing out"]);
    const many = suggestPolicy(
      Array.from({ length: 201 }, (_, index) => to(`h${index}.example`)),
      plain,
    );
    expect(many.notes).toEqual(["201 rules are more than a policy may have (200); --wildcards makes fewer"]);
  });

  it("says many ports in the room there is", () => {
    expect(portList([80, 443])).toBeNull();
    expect(portList([443])).toEqual([443]);
    expect(portList([8001, 8000, 8002, 22])).toEqual([22, "8000-8002"]);
    const ports = portList([...Array.from({ length: 30 }, (_, index) => 1000 + index * 10), 9000]);
    expect(ports).toHaveLength(20);
    expect(ports?.at(-1)).toBe(9000);
  });
});

describe("bulkhead policy suggest", () => {
  const rows = [to("pypi.org"), to("files.pythonhosted.org", 443), to("evil.example", 443, denied)];

  it("prints a policy as JSON, and remarks beside it", async () => {
    const asked: unknown[] = [];
    const { out, err } = await setUp({ controlPlane: { egress: pagesOf(rows, asked) } }).run("policy", "suggest", "s1");
    expect(JSON.parse(out)).toEqual({
      mode: "allow-list",
      rules: [
        { host: "pypi.org", ports: [443] },
        { host: "files.pythonhosted.org", ports: [443] },
      ],
    });
    expect(err).toContain("evil.example:443");
    expect(asked).toEqual([
      { sandbox: "s1", limit: 1000, cursor: null },
      { sandbox: "s1", limit: 1000, cursor: "2" },
    ]);
  });

  it("prints TypeScript with --cdk", async () => {
    const { out } = await setUp({ controlPlane: { egress: pagesOf(rows) } }).run("policy", "suggest", "s1", "--cdk");
    expect(out.slice(out.indexOf("const"))).toBe(
      'const network = {\n  mode: "allow-list",\n  rules: [\n    { host: "pypi.org", ports: [443] },\n    { host: "files.pythonhosted.org", ports: [443] },\n  ],\n};\n',
    );
  });
});
