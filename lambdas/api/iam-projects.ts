import * as z from "zod";
import { environmentSchema, scopeSchema } from "#contracts/access.ts";

/** Which IAM roles belong to which project, and what they may do there. The first that fits counts. */
export const iamProjectsSchema = z.array(
  z.object({
    /**
     * ARN as IAM shows it, without the role's path: what API Gateway says of a caller has none. `*` stands for any characters but
     * `:` and `/`, e.g. `arn:aws:iam::*:role/TeamA-*`.
     */
    role: z.string().regex(/^arn:[^:]+:iam::[^:]*:(role|user)\/[^/]+$/),
    project: z.string().min(1).max(64),
    scopes: z.array(scopeSchema).min(1),
    /** @default - all */
    environment: environmentSchema.nullish().transform((environment) => environment ?? null),
  }),
);
export type IamProjects = z.infer<typeof iamProjectsSchema>;

/** @param arn of a role's session without the session's name, or of a user */
export function iamGrant(projects: IamProjects, arn: string): IamProjects[number] | undefined {
  const role = arn.replace(/^(arn:[^:]+):sts::(\d+):assumed-role\/([^/]+)$/, "$1:iam::$2:role/$3");
  return projects.find((each) => matches(each.role, role));
}

function matches(pattern: string, text: string): boolean {
  const literal = (part: string) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return new RegExp(`^${pattern.split(/\*+/).map(literal).join("[^:/]*")}$`).test(text);
}
