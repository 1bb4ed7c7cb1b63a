import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { z } from "zod";

const policySchema = z.object({
  Version: z.literal("2012-10-17"),
  Statement: z.array(
    z.object({
      Sid: z.string().regex(/^[A-Za-z0-9]+$/),
      Effect: z.literal("Allow"),
      Action: z.union([z.string(), z.array(z.string())]),
      Resource: z.union([z.string(), z.array(z.string())]),
      Condition: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
});

it.each(["foundation", "services"])(
  "the deployer's %s policy fits a managed policy and gives no action of all services",
  (part) => {
    const json: unknown = JSON.parse(
      readFileSync(new URL(`../../../docs/deployer-policy/${part}.json`, import.meta.url), "utf8"),
    );
    // IAM does not count white space. The placeholders give way to longer and shorter text; 300 characters are left for it.
    expect(JSON.stringify(json).length).toBeLessThan(6144 - 300);
    const { Statement } = policySchema.parse(json);
    const actions = Statement.flatMap(({ Action }) => Action);
    expect(actions).not.toContain("*");
    expect(actions.filter((action) => action.startsWith("iam:") && action.endsWith("*"))).toEqual([]);
    const roles = Statement.filter(({ Sid }) => ["RolesOfTheDeployment", "PassThem"].includes(Sid));
    for (const { Resource } of roles) expect(Resource).toBe("arn:aws:iam::ACCOUNT:role/DEPLOYMENT-*");
  },
);
